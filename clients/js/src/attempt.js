// One connection, from its request to its end.

import { AGAIN, DOWN, MUTE, REFUSED, checkAnswer, failure } from './failure.js';
import { isPresence, isUpTo } from './position.js';
import { missingIn, nameOf } from './topics.js';
import { transports } from './transports.js';

const SILENCE = 'Nothing was heard';
const LONGEST_TIMER = 2 ** 31 - 1;
const KEY_LIMIT = 30_000; // for the page's backend to come up with a bind key or ticket
const PROBE_LIMIT = 5000; // for a sign of life when the network or the page has changed

/**
 * Opens a connection by the transport `name` and gives {over, cut, sync, probe}: `over` is a promise of
 * {why, lasted, hint} (choice.js). `link` holds what outlives the connection (link.js).
 */
export function attempt(settings, feed, link, name, patience) {
  const { base, clid, silence } = settings;
  const { position } = feed;
  const controller = new AbortController();
  const { signal } = controller;
  let why; // it was ended
  let heardAt = Date.now();
  let connectedAt;
  let hint;
  let head; // newest id in the broker's log when it began
  let fresh = new Set(); // names of topics that were not heard before
  let asked; // topics that were asked for first
  let pending; // topics in force after the next "subscribed"
  let giveUp; // does not wait for the page any longer
  let speak; // says something, where the transport can
  let timer, renewal, pings;

  const cut = (reason) => {
    why ||= reason;
    giveUp?.(why);
    controller.abort();
  };

  const watch = (time, kind, message) => {
    clearTimeout(timer);
    timer = setTimeout(() => cut(failure(kind, message)), time);
  };

  const alive = () => {
    heardAt = Date.now();
    if (connectedAt) watch(silence, DOWN, SILENCE);
  };

  const call = (path, init) => settings.fetch(base + path, { cache: 'no-store', signal, ...init });

  const post = async (path, body) =>
    (await checkAnswer(await call(path, { method: 'POST', body: JSON.stringify(body) }))).json();

  /** What the page is asked may never come. */
  const orCut = (promise) =>
    new Promise((resolve, reject) => {
      giveUp = reject;
      if (why) reject(why);
      Promise.resolve(promise).then(resolve, reject);
    });

  async function getTicket(body) {
    if (!connectedAt) watch(KEY_LIMIT, DOWN, 'No bind key');
    if (settings.ticket) return orCut(settings.ticket(body));
    const { ticket } = await post('ticket', { bind_key: await orCut(settings.bindKey()), ...body });
    return ticket;
  }

  /** What to ask for: as a body, or as a query with a ticket. */
  async function subscription(more) {
    const { who } = link;
    asked = feed.topics();
    const ep = [...asked.values()];
    const body = { ep, ...(clid && { clid }), last_id: position.resume(ep.length) };
    const needsTicket = settings.ticket || (settings.bindKey && ep.some((one) => one.binded));
    const ticket = needsTicket && (await getTicket(body));
    if (!connectedAt) watch(patience, MUTE, SILENCE);
    return ticket
      ? { query: new URLSearchParams({ ticket, ...who, ...more }) }
      : { body: { ...body, ...who, ...more } };
  }

  function know({ connid, secret, timeout }) {
    link.who = { connid, secret };
    clearTimeout(renewal);
    if (settings.renew && name !== 'poll') {
      renewal = setTimeout(renew, Math.min(timeout * (0.6 + Math.random() / 5), LONGEST_TIMER));
    }
  }

  async function renew() {
    if (speak) return speak({ alive: link.who.secret });
    try {
      know(await post('alive', link.who));
    } catch (error) {
      // Refused for another reason, it was renewed often enough, and ends when its time is over.
      if (error.kind !== REFUSED || error.message === 'Invalid data') return cut(failure(DOWN, error.message));
    }
    alive();
  }

  function begin(frame, text) {
    const { detail } = frame.e;
    const isFirst = !connectedAt;
    if (isFirst) {
      connectedAt = Date.now();
      head = detail.id;
      fresh = new Set(link.held && missingIn(link.held, asked).map(nameOf));
      if (speak) pings = setInterval(() => speak({ ping: 1 }), silence / 2.2);
    }
    link.held = asked;
    know(detail);
    alive();
    if (isFirst) {
      position.begin(frame.id);
      link.worked(name);
      feed.frame(frame, text);
    }
    sync();
  }

  const serverSays = {
    connected: begin,
    stopping(frame, text) {
      hint = frame.e.detail.retry;
      feed.frame(frame, text);
      if (name === 'poll') cut(failure(DOWN, 'Stopping'));
    },
    subscribed() {
      link.held = pending;
      pending = undefined;
      feed.change();
      sync();
    },
    alive: (frame) => know(frame.e.detail),
    error: (frame) => pending && cut(failure(REFUSED, frame.e.detail.error)),
  };

  function hear(frame, text = JSON.stringify(frame)) {
    const { id, ep, e } = frame;
    const { requested } = ep;
    if (why) return;
    if (requested === '@SERVER@') serverSays[e.type]?.(frame, text);
    else if (position.take(frame) && !(fresh.has(requested) && isUpTo(id, head) && !isPresence(frame))) feed.frame(frame, text);
  }

  /** Other topics are wanted now. */
  function sync() {
    if (!connectedAt) return;
    const want = feed.topics();
    const added = missingIn(link.held, want);
    const gone = missingIn(want, link.held);
    const all = [...added, ...gone];
    if (!all.length) return;
    if (!speak || all.some((one) => one.binded)) {
      cut(failure(AGAIN));
      return;
    }
    if (gone.length) {
      speak({ unsubscribe: gone });
      link.held = new Map([...link.held].filter(([key]) => want.has(key)));
    }
    if (added.length && !pending) {
      pending = want;
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
    watch(PROBE_LIMIT, DOWN, SILENCE);
    if (speak) speak({ ping: 1 });
    else renew();
  }

  async function run() {
    try {
      await transports[name]({
        ...settings,
        signal,
        subscription,
        fetch: call,
        alive,
        hear,
        mark: (id) => why || position.mark(id),
        speak: (how) => (speak = how),
        refuse: (reason) => cut(failure(REFUSED, reason)),
      });
    } catch (error) {
      why ||= error.kind ? error : failure(DOWN, error.message);
    }
    clearTimeout(timer);
    clearTimeout(renewal);
    clearInterval(pings);
    const lasted = connectedAt && Date.now() - connectedAt;
    connectedAt = undefined;
    controller.abort();
    return { why, lasted, hint };
  }

  return { over: run(), cut, sync, probe };
}
