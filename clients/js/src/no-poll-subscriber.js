// The class of the broker that this one replaces, with its methods, callbacks and states: pages change one script tag.

import { connect } from './connect.js';
import { checkAnswer } from './failure.js';
import { urlOf } from './url.js';

const NAMES = { '-1': 'OFFLINE', 0: 'DISCONNECTED', 1: 'WAITING', 2: 'CONNECTED' };
const VALUES = { offline: -1, closed: 0, waiting: 0, connecting: 1, connected: 2 };

const nothing = () => {};

/** An address with `ep` and `clid` in its query, or {url, data: {ep, clid} or its JSON, and options of connect()}. */
function readRequest(request) {
  const { url = request, data, ...options } = request;
  const { searchParams: query } = urlOf(url);
  const { ep, clid } = typeof data === 'string' ? JSON.parse(data) : data || {};
  return { ...options, url, topics: ep || query.getAll('ep'), clid: clid || query.get('clid') || undefined };
}

const fetchText = async (url) => (await checkAnswer(await fetch(url, { cache: 'no-store' }))).text();

export class NoPollSubscriber {
  #request;
  /** @type {Function[]} */
  #callbacks;
  #bindUrl;
  #client;
  #subscription; // of the client, as JSON
  #turn = 0; // a start that was overtaken by another call comes to nothing
  #newest = 0;

  constructor(urlOrObject, onParsed = nothing, onSubscribe = nothing, onStateChange = nothing) {
    this.#request = urlOrObject;
    this.#callbacks = [onParsed, onSubscribe, onStateChange];
  }

  /** Begins, or begins anew; with what is given instead of what was given before. */
  start(urlOrObject = this.#request, ...callbacks) {
    this.#request = urlOrObject;
    this.#callbacks = this.#callbacks.map((former, i) => callbacks[i] || former);
    this.#begin(++this.#turn);
  }

  async #begin(turn) {
    const former = this.#client;
    if (former) await former.close();
    if (turn !== this.#turn) return;
    const options = { share: false, renew: false, ...readRequest(this.#request) };
    const subscription = JSON.stringify(options);
    const bindUrl = this.#bindUrl;
    if (bindUrl) options.bindKey = () => fetchText(bindUrl);
    // What came between the two is not lost, when it is the same that is asked for.
    if (former && subscription === this.#subscription) options.lastId = former.lastId;
    this.#subscription = subscription;
    const client = (this.#client = connect(options));
    this.#tell(client.state);
    client.on('@state', (state) => this.#tell(state));
    client.on('@frame', (frame, text) => {
      // Pages take every word of the server itself for "connected".
      if (frame.ep.requested !== '@SERVER@' || frame.e.type === 'connected') this.#callbacks[0](text);
    });
  }

  #tell(state) {
    const [, onSubscribe, onStateChange] = this.#callbacks;
    const value = VALUES[state];
    onStateChange({ value, state: NAMES[value] });
    if (state === 'connected') onSubscribe();
  }

  /** No further connection; the one of now goes on until it ends, or until abort(). */
  stop() {
    this.#turn++;
    this.#client?.close({ softly: true });
  }

  /** Ends the connection of now. Without a stop() before, the next one follows after a while. */
  abort() {
    this.#client?.abort();
  }

  /** For the next start(). */
  setURL(urlOrObject) {
    this.#request = urlOrObject;
  }

  /** Where a GET gives a bind key; asked for each connection after the next start(). */
  setBindingKeyUrl(url) {
    this.#bindUrl = url;
  }

  unsetBindingKey() {
    this.#bindUrl = undefined;
  }

  /** False for an event older than one that was shown to it before. */
  validateIat(text) {
    const { iat } = JSON.parse(text);
    if (iat < this.#newest) return false;
    this.#newest = iat;
    return true;
  }
}
