// What a page has in its hands: topics, handlers, and what it hears.

import { createEmitter, report } from './emitter.js';
import { failure } from './failure.js';
import { watchPage } from './page.js';
import { createPosition, isPresence } from './position.js';
import { createSubscriptions } from './subscriptions.js';
import { keyOf, missingIn, normalised } from './topics.js';
import { urlOf } from './url.js';

const DEFAULTS = {
  transports: ['ws', 'frames', 'sse', 'poll'],
  patience: 600, // so that the fourth way in is tried within 2 s
  silence: 60_000, // two keep-alives of the broker
  backoff: 1000,
  maxBackoff: 30_000,
  betterTime: 300_000,
  renew: true,
  share: true,
  hiddenTime: Infinity,
  fetch: (url, init) => fetch(url, init),
};
const SYNC_DELAY = 20; // topics that change together are asked for together
const ANSWER_LIMIT = 10_000;

/** Ends something when the signal aborts. */
function endBy(signal, end) {
  if (signal?.aborted) end();
  else signal?.addEventListener('abort', end, { once: true });
}

function completed(options) {
  if (!options?.url) throw TypeError('connect() needs the url of the broker');
  const { origin, pathname } = urlOf(options.url);
  const settings = {
    base: origin + pathname.replace(/\/?$/, '/'),
    WebSocket: globalThis.WebSocket,
    remember: true,
    ...options,
    identity: { uid: options.user }, // whose page it is; else the first connection says
    log: options.debug ? (...words) => console.debug('es-web-notify:', ...words) : () => {},
  };
  for (const key in DEFAULTS) settings[key] ??= DEFAULTS[key];
  return settings;
}

/**
 * connect(), with where a page hears from: createSource(settings, page) of own.js or sharing.js.
 * @param {Function} createSource
 * @param {import('../types/index.js').Options} options
 * @returns {import('../types/index.js').Client}
 */
export function createClient(createSource, options) {
  const settings = completed(options);
  const { _on: on, _emit: emit } = createEmitter();
  const position = createPosition(settings.lastId);
  const counts = new Map(); // presence topic: how many streams have the name
  const told = new Set(); // presence topics of which the page knows the count
  /** @type {import('../types/index.js').State} */
  let state = 'closed';
  let isOpen = true; // until close()
  let timer;

  const subscriptions = createSubscriptions(change);
  const source = createSource(settings, {
    _topics: subscriptions._wanted,
    _known: subscriptions._known,
    _position: position,
    _take: take,
    _change: look,
    _error(error) {
      settings.log(error.message);
      emit('@error', error);
      if (error.final) close('reject', error);
    },
    _counts: () => counts,
  });
  const { _link: link } = source;

  const hears = {
    status({ state: now, held, at, head, counts: known }) {
      if (now === 'connected') {
        position._begin(at);
        subscriptions._hold(held, createPosition(head)._reaches(at) ? head : at);
        for (const topic of counts.keys()) if (!held.has(keyOf(topic))) counts.delete(topic);
        for (const [topic, count] of known) if (!counts.has(topic)) counts.set(topic, count);
      }
      look();
      tellCounts();
    },
    mark: position._mark,
    frame(frame, text) {
      const { id, ep } = frame;
      const isPast = !isPresence(frame) && subscriptions._isPast(ep.requested, id);
      if (ep.requested === '@SERVER@') hearServer(frame, text);
      else if (position._take(frame) && !isPast) deliver(frame, text);
    },
    refused([keys, { kind, message, status }]) {
      const topics = keys.map((key) => key.slice(2));
      const error = failure(kind, message, { status, topics });
      if (subscriptions._refuse(keys, error)) emit('@error', error);
    },
  };

  function take(kind, value, text) {
    hears[kind]?.(value, text);
  }

  function hearServer(frame, text = JSON.stringify(frame)) {
    const { type, detail } = frame.e;
    emit('@frame', frame, text);
    if (type === 'connected' && detail.recovered === false) {
      settings.log('something may be missing after', settings.lastId);
      emit('@gap', { id: detail.id });
    }
  }

  function look() {
    const before = state;
    state = source._state;
    const { held } = source._status;
    if (state === 'connected') {
      if (missingIn(held, subscriptions._wanted()).length) state = 'connecting';
      // Also what was in force before this page wanted it, by another tab.
      subscriptions._hold(held, position._last());
      subscriptions._settle(held);
    }
    if (state === before) return;
    settings.log(state);
    emit('@state', state);
  }

  /** The broker says who is there when a topic is asked for. When another tab had asked for it before, we do. */
  function tellCounts() {
    for (const topic of subscriptions._wanted().values()) {
      if (counts.has(topic) && !told.has(topic)) {
        const detail = { clid_instances: `${counts.get(topic)}` };
        deliver({ ep: { requested: topic, emitted: topic }, e: { type: 'available', detail } });
      }
    }
  }

  function deliver(frame, text = JSON.stringify(frame)) {
    const { id, iat, ep, e } = frame;
    const { requested, emitted: topic } = ep;
    const { type, detail } = e;
    const isWanted = subscriptions._isWanted(requested);
    let isNews = isWanted;
    if (isPresence(frame) && requested === topic) {
      const count = +detail.clid_instances;
      // Each connection says again who is there, and each poll.
      if (told.has(topic) && counts.get(topic) === count) isNews = false;
      counts.set(topic, count);
      if (isWanted) told.add(topic);
    }
    if (isWanted) emit('@frame', frame, text);
    if (!isNews) return;
    const event = { type, detail, topic, requested, id, iat };
    emit(`@topic ${requested}`, event);
    if (type[0] !== '@') emit(type, event);
    emit('*', event);
  }

  /** Other topics are wanted. */
  function change() {
    for (const topic of told) if (!subscriptions._isWanted(topic)) told.delete(topic);
    source._announce();
    timer ||= setTimeout(() => {
      timer = 0;
      link._sync();
    }, SYNC_DELAY);
    look();
  }

  const ready = () =>
    new Promise((resolve) => {
      const off = on('@state', check);
      function check() {
        if (isOpen && state !== 'connected') return;
        off();
        resolve(isOpen);
      }
      check();
    });

  /** @param {any} more {signal, last} */
  function add(topics, handler, more = {}) {
    const { signal, last } = more;
    const list = topics.flat().map((one) => normalised(one, settings));
    const one = subscriptions._add(list, !handler, last);
    const offs = handler ? [...new Set(list.map((topic) => topic.topic || topic))].map((name) => on(`@topic ${name}`, handler)) : [];
    one._end = () => offs.forEach((off) => off());
    endBy(signal, one._off);
    tellCounts();
    look();
    return one;
  }

  function close(how = 'resolve', value = false) {
    isOpen = false;
    unwatch();
    source._leave();
    subscriptions._endAll(how, value);
    look();
  }

  /** @type {any} */
  const client = {
    get state() {
      return state;
    },
    get connid() {
      return source._status.who.connid;
    },
    get transport() {
      return source._status.transport;
    },
    get lastId() {
      return position._last();
    },
    /** Whose page it is, by the broker's word. */
    get user() {
      return settings.identity.uid;
    },
    ready,

    on(what, handler, more) {
      const off = what.topic
        ? on(`@topic ${what.topic}`, (event) => (!what.type || event.type === what.type) && handler(event))
        : on(what, handler);
      endBy(more?.signal, off);
      return off;
    },

    once(what, handler, more) {
      const off = client.on(
        what,
        (...values) => {
          off();
          handler(...values);
        },
        more,
      );
      return off;
    },

    /** Topics, then perhaps a handler, and {signal}. */
    subscribe(...given) {
      const at = given.findIndex((one) => typeof one === 'function');
      const last = given.at(-1);
      const hasMore = last && typeof last === 'object' && !Array.isArray(last) && !('topic' in last);
      const topics = given.slice(0, at < 0 ? given.length - (hasMore ? 1 : 0) : at);
      const { _ready, _off } = add(topics, given[at], hasMore ? last : {});
      return { ready: _ready, off: _off, then: (...both) => _ready.then(...both) };
    },

    unsubscribe(...topics) {
      subscriptions._remove(topics.flat().map((one) => keyOf(normalised(one, settings))));
    },

    presence(name, handler, more) {
      const topic = `@CONNECTION@/${name}`;
      let isTold;
      const tell = (event) => {
        isTold = true;
        handler(+event.detail.clid_instances, event);
      };
      const known = told.has(topic) ? counts.get(topic) : undefined;
      const { _off } = add([topic], tell, more);
      if (known !== undefined) {
        const event = { type: 'available', detail: { clid_instances: `${known}` }, topic, requested: topic };
        queueMicrotask(() => isTold || report(() => tell(event)));
      }
      return _off;
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

    abort: link._abort,

    /** With `softly` the connection may go on until it ends by itself. */
    close(more) {
      if (more?.softly) {
        isOpen = false;
        unwatch();
        link._stop(true);
      } else {
        close();
      }
      return link._over;
    },
  };

  for (const topic of settings.topics || []) add([topic], undefined, { last: settings.lastId });
  const enter = () => isOpen && source._enter();
  const unwatch = watchPage({ _probe: source._probe, _enter: enter, _leave: source._leave }, settings.hiddenTime);
  enter();
  endBy(settings.signal, () => close());
  return client;
}
