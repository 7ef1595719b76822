// What a page has in its hands: topics, handlers, and a link that is its own or that of another tab.

import { createEmitter } from './emitter.js';
import { failure } from './failure.js';
import { createLink } from './link.js';
import { watchPage } from './page.js';
import { createPosition, isPresence } from './position.js';
import { canShare, joinTabs } from './tabs.js';
import { keyOf, missingIn, nameOf, normalised } from './topics.js';

const DEFAULTS = {
  transports: ['ws', 'frames', 'sse', 'poll'],
  patience: 600, // so that the fourth way in is tried within 2 s
  silence: 110_000, // two keep-alives of the broker
  backoff: 1000,
  maxBackoff: 30_000,
  renew: true,
  share: true,
  hiddenTime: Infinity,
  fetch: (url, init) => fetch(url, init),
};
const SYNC_DELAY = 20; // topics that change together are asked for together
const ANSWER_LIMIT = 10_000;

/** A URL, from what a page may say. */
export const urlOf = (text) => new URL(text, globalThis.document?.baseURI);

/**
 * @param {import('../types/index.js').Options} options
 * @returns {import('../types/index.js').Client}
 */
export function connect(options) {
  const { origin, pathname } = urlOf(options.url);
  const base = origin + pathname.replace(/\/?$/, '/');
  const settings = { base, WebSocket: globalThis.WebSocket, ...options };
  for (const key in DEFAULTS) settings[key] ??= DEFAULTS[key];
  const { share, clid = '' } = settings;
  const { on, emit } = createEmitter();
  const position = createPosition(settings.lastId);
  const mine = new Map(); // topics that this page wants
  const counts = new Map(); // presence topic: how many streams have the name
  const told = new Set(); // presence topics of which the page knows the count
  let names; // of the topics that this page wants
  /** @type {import('../types/index.js').State} */
  let state = 'closed';
  let isOpen = true; // until close()
  let isIn; // takes part now
  let tabs;
  let leads; // the link is ours
  let timer;

  const link = createLink(settings, {
    position,
    topics: () => new Map([mine, ...(tabs ? tabs.others() : [])].flatMap((map) => [...map])),
    frame(frame, text) {
      if (tabs) tabs.tell('frame', frame);
      deliver(frame, text);
    },
    change() {
      if (!leads) return;
      follow(ownStatus());
      if (tabs) tabs.tell('status', status);
    },
    error: (error) => emit('@error', error),
  });
  let status = ownStatus(); // of the link, which may be another tab's

  function ownStatus() {
    const { transport, who, held = new Map() } = link;
    for (const topic of counts.keys()) if (!held.has(keyOf(topic))) counts.delete(topic);
    return { state: link.state, transport, who, held, counts, last: position.last() };
  }

  function follow(next) {
    const before = state;
    status = next;
    state = status.state;
    if (status.last) position.begin(status.last);
    if (state === 'connected' && missingIn(status.held, mine).length) state = 'connecting';
    if (state !== before) emit('@state', state);
    tellCounts();
  }

  /** The broker says who is there when a topic is asked for. When another tab had asked for it before, we do. */
  function tellCounts() {
    for (const topic of mine.values()) {
      if (status.counts.has(topic) && !told.has(topic)) {
        const detail = { clid_instances: `${status.counts.get(topic)}` };
        deliver({ ep: { requested: topic, emitted: topic }, e: { type: 'available', detail } });
      }
    }
  }

  function deliver(frame, text = JSON.stringify(frame)) {
    const { id, iat, ep, e } = frame;
    const { requested, emitted: topic } = ep;
    const { type, detail } = e;
    const isWanted = names.has(requested);
    let isNews = isWanted;
    if (isPresence(frame) && requested === topic) {
      const count = +detail.clid_instances;
      // Each connection says again who is there, and each poll.
      if (told.has(topic) && counts.get(topic) === count) isNews = false;
      counts.set(topic, count);
      if (isWanted) told.add(topic);
    }
    if (isWanted || requested === '@SERVER@') emit('@frame', frame, text);
    if (!isNews) return;
    const event = { type, detail, topic, requested, id, iat };
    emit(`@topic ${requested}`, event);
    if (type[0] !== '@') emit(type, event);
    emit('*', event);
  }

  function enter() {
    if (isIn) return;
    isIn = true;
    leads = !(share && canShare());
    if (leads) {
      link.start();
      return;
    }
    tabs = joinTabs(`esn ${[share, clid, base]}`, {
      topics: () => mine,
      lead(isLeader) {
        leads = isLeader;
        if (leads) {
          if (status.who.connid) Object.assign(link, { who: status.who, held: status.held });
          link.start();
        } else {
          link.stop();
        }
      },
      status: ownStatus,
      follow,
      frame: (frame) => (frame.ep.requested === '@SERVER@' || position.take(frame)) && deliver(frame),
      change: sync,
    });
  }

  function leave() {
    isIn = false;
    if (tabs) tabs.leave();
    tabs = undefined;
    link.stop();
    if (!leads) follow({ ...status, state: 'closed' });
  }

  function probe(surely) {
    if (leads) link.probe(surely);
    else if (tabs) tabs.announce(true);
  }

  function sync() {
    timer ||= setTimeout(() => {
      timer = 0;
      link.sync();
    }, SYNC_DELAY);
  }

  function change(topics, action) {
    for (const one of topics.flat()) {
      const topic = normalised(one, settings);
      action(keyOf(topic), topic);
    }
    names = new Set([...mine.values()].map(nameOf));
    if (tabs) tabs.announce();
    sync();
    follow(status);
  }

  const ready = () =>
    new Promise((resolve) => {
      const off = on('@state', look);
      function look() {
        if (isOpen && state !== 'connected') return;
        off();
        resolve(isOpen);
      }
      look();
    });

  /** @type {import('../types/index.js').Client} */
  const client = {
    get state() {
      return state;
    },
    get connid() {
      return status.who.connid;
    },
    get transport() {
      return status.transport;
    },
    get lastId() {
      return position.last();
    },
    ready,

    on: (what, handler) =>
      what.topic
        ? on(`@topic ${what.topic}`, (event) => (!what.type || event.type === what.type) && handler(event))
        : on(what, handler),

    subscribe(...topics) {
      change(topics, (key, topic) => mine.set(key, topic));
      return ready();
    },

    unsubscribe(...topics) {
      change(topics, (key, topic) => mine.delete(key) && told.delete(topic));
    },

    presence(name, handler) {
      const topic = `@CONNECTION@/${name}`;
      const off = client.on({ topic }, (event) => handler(+event.detail.clid_instances, event));
      client.subscribe(topic);
      return off;
    },

    whisper(match, send, { timeout = ANSWER_LIMIT } = {}) {
      let limit, off;
      return new Promise((resolve, reject) => {
        limit = setTimeout(() => reject(failure('timeout', 'No answer')), timeout);
        off = on('*', (event) => (typeof match === 'function' ? match(event) : event.type === match) && resolve(event));
        ready()
          .then(() => send(client.connid))
          .catch(reject);
      }).finally(() => {
        clearTimeout(limit);
        off();
      });
    },

    abort: link.abort,

    /** With `softly` the connection may go on until it ends by itself. */
    close({ softly } = {}) {
      isOpen = false;
      unwatch();
      if (softly) link.stop(softly);
      else leave();
      return link.over;
    },
  };

  change(settings.topics || [], (key, topic) => mine.set(key, topic));
  const unwatch = watchPage({ probe, enter: () => isOpen && enter(), leave }, settings.hiddenTime);
  enter();
  return client;
}
