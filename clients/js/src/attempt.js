// One connection, from its request to its end.

import { AGAIN, DOWN, IDENTITY, LOGIN, MUTE, REFUSED, UNFIT, checkAnswer, failure, isAboutTopics, jsonOf } from './failure.js';
import { isPresence, isUpTo } from './position.js';
import { LONGEST_TIMER } from './timer.js';
import { keyOf, missingIn, needProof } from './topics.js';
import { transports } from './transports.js';
import { urlOf } from './url.js';

const KEY_LIMIT = 30_000; // for the page's backend to come up with a proof
const PROBE_LIMIT = 5000; // for a sign of life when the network or the page has changed
const PROOF = /^[\w+/=.~-]+$/; // base64 or a JWT, and no page that says "log in"
const MOST = 30_000; // characters of topics that are asked for in one message

/** What the page itself throws is of no kind yet. */
const named = (error) => (error.kind ? error : failure(error.final ? LOGIN : DOWN, error.message, { final: error.final }));

/**
 * Opens a connection by the transport `name`. `link` holds what outlives it, and is told `_asked()` when the request
 * goes out and `_won(attempt)` when it is connected (link.js). `isBeside`: another one may still be that client, so this
 * one is a new one. `limit`: ms to wait for the first sign of life.
 * `_over` is a promise of {_why, _lasted, _hint} (choice.js).
 */
export function attempt(settings, feed, link, name, isBeside, limit) {
  const { base, clid, silence, beat } = settings;
  const controller = new AbortController();
  const { signal } = controller;
  let why; // it was ended
  let askedAt;
  let heardAt = Date.now();
  let connectedAt;
  let hint;
  let asked; // topics that were asked for first
  let pending; // topics that are asked for on the way
  let giveUp; // does not wait for the page any longer
  let speak; // says something, where the transport can
  let ends; // when the user's proof does, if it does, by our clock
  let ahead; // ms by which the broker's clock is
  let timer, renewal, pings;

  const cut = (reason) => {
    why ||= reason;
    giveUp?.(why);
    controller.abort();
  };

  const watch = (time, kind = DOWN, message = 'Silence') => {
    clearTimeout(timer);
    timer = setTimeout(() => cut(failure(kind, message)), time);
  };

  const tell = (...said) => feed._tell('frame', ...said);

  const alive = () => {
    heardAt = Date.now();
    if (connectedAt) watch(silence);
  };

  const get = (url, init) => settings.fetch(url, { cache: 'no-store', signal, ...init });
  const call = (path, init) => get(base + path, init);

  const post = async (path, body) => jsonOf(await checkAnswer(await call(path, { method: 'POST', body })));

  /** What the page is asked may never come. */
  const orCut = (promise) =>
    new Promise((resolve, reject) => {
      giveUp = reject;
      if (why) reject(why);
      Promise.resolve(promise).then(resolve, reject);
    });

  /** A bind key or token, of a function or an address of the page. */
  async function ask(source) {
    if (typeof source === 'function') return orCut(source());
    const url = urlOf(source).href;
    const answer = await get(url);
    const { ok, status } = answer;
    const text = ok ? (await answer.text()).trim() : '';
    if (PROOF.test(text)) return text;
    const final = ok || status === 401 || status === 403;
    throw failure(final ? LOGIN : DOWN, `No proof from ${url}: HTTP ${status}`, { status, final });
  }

  async function getTicket(body) {
    if (!connectedAt) watch(KEY_LIMIT);
    if (settings.ticket) return { ticket: await orCut(settings.ticket(body)) };
    const proof = settings.token ? { token: await ask(settings.token) } : { bind_key: await ask(settings.bindKey) };
    const text = JSON.stringify({ ...proof, ...body });
    const { ticket, url, body: isOfBody } = await post('ticket', text);
    return { ticket, url, text: isOfBody && text }; // so many topics that the ticket only stands for them
  }

  /** What to ask for: as a body, or as a query with a ticket. */
  async function subscription(more) {
    asked = link._choose(feed._topics());
    keepOnly(asked); // what is not asked for is in force no longer, also for a tab that begins to want it now
    const ep = [...asked.values()];
    const body = { ep, ...(clid && { clid }), last_id: feed._position._resume(ep.length, missingIn(feed._since, asked).length, link.at) };
    const { ticket, url, text } = needProof(settings, asked) ? await getTicket(body) : {};
    const who = { ...settings._says, ...(!isBeside && link.who), ...more };
    if (!connectedAt) {
      askedAt = Date.now();
      watch(limit, MUTE);
      link._asked();
    }
    return ticket ? { _query: new URLSearchParams({ ticket, ...who }), _text: text, _url: url } : { _body: { ...body, ...who } };
  }

  /** Well before the stream's time is over it is renewed, and before the user's proof ends, by another one. */
  function know({ connid, secret, timeout, until }) {
    if (until) ends = until - ahead;
    const left = ends - Date.now();
    const isProof = left < timeout + 1000; // the two are rounded
    const time = (isProof ? left : timeout) * (0.7 + Math.random() / 5);
    link.who = { connid, secret };
    clearTimeout(renewal);
    if (name === 'poll') return;
    if (!speak && beat < time) renewal = setTimeout(renew, beat);
    else if (isProof || settings.renew) renewal = setTimeout(isProof ? exchange : renew, Math.min(Math.max(time, settings.backoff), LONGEST_TIMER));
  }

  async function prolong(more) {
    if (speak) speak({ alive: link.who.secret, ...more });
    else know(await post('alive', JSON.stringify({ ...link.who, ...more })));
  }

  async function renew() {
    try {
      // A page that is hidden may be held up for a minute.
      await prolong({ beat: beat && 2 * beat + (globalThis.document?.hidden ? 60_000 : 0), had: link._had });
    } catch (error) {
      // Refused for another reason, it was renewed often enough, and ends when its time is over.
      if (error.kind !== REFUSED || error.message === 'Invalid data') return cut(failure(DOWN, error.message));
    }
    if (!speak) alive();
  }

  /** Another proof keeps this connection; where it cannot, the next connection comes with one. */
  async function exchange() {
    try {
      const { ticket } = await getTicket({ ep: [...link.held.values()].filter((one) => one.private) });
      await prolong({ ticket });
    } catch (error) {
      if (error.final) cut(named(error));
      else if (error.kind === REFUSED) proofOver();
    }
  }

  /** One that ends as soon as it has begun is not asked for again and again. */
  function proofOver() {
    cut(failure(Date.now() - connectedAt > settings.backoff ? AGAIN : DOWN, 'The proof ends'));
  }

  function begin(frame, text) {
    const { detail } = frame.e;
    const isFirst = !connectedAt;
    // Whose connection it is: the first one says, and all others have to be of the same user.
    const { uid, until } = detail.identity || {};
    const user = (settings.identity.uid ??= uid);
    if (uid !== undefined && `${uid}` !== `${user}`) return cut(failure(IDENTITY, `The user is ${uid}, not ${user}`, { final: true }));
    connectedAt ||= Date.now();
    isBeside = false;
    ahead = frame.iat - Date.now();
    know({ ...detail, until });
    alive();
    if (isFirst) {
      if (speak) pings = setInterval(say, silence / 2.2);
      link._say = say;
      link.at = frame.id;
      link.head = detail.id;
      link._hold(asked);
      link._won(it);
      tell(frame, text);
      if (beat && !speak && name !== 'poll') renew(); // the daemon knows from the beginning when to expect the next
    } else if (missingIn(link.held, asked).length) {
      link.head = detail.id; // another poll, with other topics
      link._hold(asked);
      feed._change();
    }
    return sync();
  }

  function keepOnly(topics) {
    link.held = new Map([...link.held].filter(([key]) => topics.has(key)));
  }

  const serverSays = {
    connected: begin,
    stopping(frame, text) {
      hint = frame.e.detail.retry;
      tell(frame, text);
      if (name === 'poll') cut(failure(DOWN, 'Stopping'));
    },
    presence: tell,
    dropped: () => feed._tell('dropped'),
    expired: proofOver,
    subscribed({ id }) {
      if (isUpTo(link.at, id)) link.at = id;
      link._hold(new Map([...link.held, ...pending]));
      pending = undefined;
      feed._change();
      sync();
    },
    alive: (frame) => know(frame.e.detail),
    error({ e }) {
      // A renewal may be refused meanwhile: then the connection ends when its time is over.
      if (!pending || /alive|data|ticket|nobody/i.test(e.detail.error)) return;
      link._refused(pending, failure(REFUSED, e.detail.error));
      pending = undefined;
      sync();
    },
  };

  function hear(frame, text) {
    if (why) return;
    const { type, detail } = frame.e;
    if (frame.ep.requested === '@SERVER@') {
      if (detail.deaf) settings.log('deaf to', detail.deaf);
      serverSays[type]?.(frame, text);
    } else if (connectedAt) {
      if (!frame.kept && !isPresence(frame)) link.at = frame.id;
      tell(frame, text);
    }
  }

  function mark(id) {
    if (why) return;
    link.at = id;
    feed._tell('mark', id);
  }

  /** Other topics are wanted now. */
  function sync() {
    if (!connectedAt || why) return;
    const want = link._choose(feed._topics(), speak && MOST);
    const added = missingIn(link.held, want);
    const gone = missingIn(feed._topics(), link.held);
    const all = [...added, ...gone];
    if (!all.length) return;
    if (!speak || all.some((one) => one.topic)) {
      cut(failure(AGAIN));
      return;
    }
    if (gone.length) {
      speak({ unsubscribe: gone });
      keepOnly(feed._topics());
    }
    if (added.length && !pending) {
      pending = new Map(added.map((topic) => [keyOf(topic), topic]));
      speak({ subscribe: added });
    }
  }

  /** The network or the page has changed: is anybody there still? `surely`: also when something was heard lately. */
  function probe(surely) {
    if (!connectedAt || (!surely && Date.now() - heardAt < silence / 2)) return;
    if (name === 'poll') {
      cut(failure(AGAIN));
      return;
    }
    watch(PROBE_LIMIT);
    say();
  }

  /** Anything, to be answered; with what was had, where somebody wants to know (link._had). */
  function say() {
    if (speak) speak({ ping: 1, had: link._had });
    else renew();
  }

  async function run() {
    try {
      await transports[name]({
        ...settings,
        _signal: signal,
        _subscription: subscription,
        _call: call,
        _alive: alive,
        _hear: hear,
        _mark: mark,
        _speak: (how) => (speak = how),
        _refuse: (reason) => cut(failure(REFUSED, reason)),
      });
      if (!connectedAt) throw failure(UNFIT, 'Ended');
    } catch (error) {
      why ||= named(error);
    }
    clearTimeout(timer);
    clearTimeout(renewal);
    clearInterval(pings);
    const lasted = connectedAt && Date.now() - connectedAt;
    connectedAt = undefined;
    controller.abort();
    if (!lasted && why && isAboutTopics(why)) why = link._refused(asked, why);
    return { _why: why, _lasted: lasted, _hint: hint };
  }

  /** @type {any} */
  const it = { _name: name, _cut: cut, _sync: sync, _probe: probe, _took: () => Date.now() - askedAt };
  it._over = run();
  return it;
}
