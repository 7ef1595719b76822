'use strict';

const { WebSocket } = require('ws');
const { within } = require('../../../system/lib/wait');

/**
 * Numbered questions and answers in JSON over a WebSocket, as the DevTools protocol and WebDriver BiDi have them. Answers
 * come in any order.
 */
class JsonSocket {
  #socket;
  #asked = new Map(); // number: {method, resolve, reject}
  #awaited = new Map(); // method of an event: what is called when it comes
  #last = 0;

  static async open(url) {
    const made = new JsonSocket();
    made.#socket = new WebSocket(url);
    await within(`a connection to ${url}`, new Promise((resolve, reject) => {
      made.#socket.once('open', resolve);
      made.#socket.once('error', reject);
    }));
    made.#socket.on('message', (text) => made.#take(JSON.parse(text)));
    made.#socket.on('close', () => made.#end());
    made.#socket.on('error', () => {}); // "close" follows
    return made;
  }

  #take({ id, method, result, error, message }) {
    this.#awaited.get(method)?.();
    const asked = this.#asked.get(id);
    if (!asked) return; // an event, or an answer after the end
    this.#asked.delete(id);
    if (error) asked.reject(new Error(`${asked.method}: ${message ?? error.message ?? error}`));
    else asked.resolve(result);
  }

  #end() {
    for (const { method, reject } of this.#asked.values()) reject(new Error(`${method}: the browser is gone`));
    this.#asked.clear();
  }

  /** The answer to `method`; `more` goes beside the parameters. */
  ask(method, params = {}, more = {}) {
    const id = ++this.#last;
    const answer = new Promise((resolve, reject) => this.#asked.set(id, { method, resolve, reject }));
    this.#socket.send(JSON.stringify({ id, method, params, ...more }));
    return within(`the browser's answer to ${method} ${JSON.stringify(params).slice(0, 200)}`, answer);
  }

  /** Resolves when the browser tells of the next event called `method`. */
  next(method) {
    return within(`the event ${method}`, new Promise((resolve) => this.#awaited.set(method, resolve)));
  }

  close() {
    this.#socket.close();
  }
}

module.exports = { JsonSocket };
