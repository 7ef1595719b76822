// What a page has in its hands: topics, handlers, and what it hears.

import { createEmitter } from './emitter.js';
import { DROPPED, failure } from './failure.js';
import { watchPage } from './page.js';
import { createPosition, isPresence, isUpTo, lacksValues } from './position.js';
import { createSubscriptions } from './subscriptions.js';
import { LONGEST_TIMER } from './timer.js';
import { keyOf, missingIn, nameOf, normalised } from './topics.js';
import { transports } from './transports.js';
import { urlOf } from './url.js';

const DEFAULTS = {
  transports: Object.keys(transports),
  patience: 600, // so that the fourth way in is tried within 2 s
  silence: 60_000, // two keep-alives of the broker
  backoff: 1000,
  maxBackoff: 30_000,
  betterTime: 300_000,
  renew: true,
  hiddenTime: Infinity,
  fetch: (url, init) => fetch(url, init),
};
const SYNC_DELAY = 20; // topics that change together are asked for together

/** Ends something when the signal aborts. */
function endBy(signal, end) {
  signal?.aborted ? end() : signal?.addEventListener('abort', end, { once: true });
}

function completed(options) {
  if (!options?.url) throw TypeError('No url');
  const { origin, pathname } = urlOf(options.url);
  const settings = {
    base: origin + pathname.replace(/\/?$/, '/'),
    WebSocket: globalThis.WebSocket,
    ...options,
    identity: { uid: options.user }, // whose page it is; else the first connection says
    log: options.debug ? console.debug.bind(console, 'es-web-notify:') : () => {},
  };
  for (const key in DEFAULTS) {
    settings[key] ??= DEFAULTS[key];
    if (settings[key] > LONGEST_TIMER) settings[key] = LONGEST_TIMER;
  }
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
  const told = new Map(); // wanted topic: of presence, how many streams have the name, as the page knows; else the newest last value's id
  /** @type {import('../types/index.js').State} */
  let state = 'closed';
  let isOpen = true; // until close()
  let timer;

  const subscriptions = createSubscriptions(change);
  const source = createSource(settings, {
    _topics: subscriptions._wanted,
    _since: subscriptions._since,
    _told: told,
    _position: position,
    _tell: (kind, value, text) => hears[kind]?.(value, text),
    _change: look,
    _error: fail,
  });
  const { _link: link } = source;

  const hears = {
    status({ state: now, held, at, head }) {
      if (now === 'connected') {
        position._begin(at);
        subscriptions._hold(held, isUpTo(at, head) ? head : at);
      }
      look();
    },
    mark: position._mark,
    /** All tabs are told, so that none of them comes back in the place of another. */
    dropped: () => fail(failure(DROPPED, 'Dropped', { final: true })),
    frame(frame, text = JSON.stringify(frame)) {
      const { id, ep, kept, keep } = frame;
      const { requested } = ep;
      if (requested === '@SERVER@') return hearServer(frame, text);
      // From before the page has asked for it: of that it has the last values alone.
      const isPast = !isPresence(frame) && subscriptions._isPast(requested, id);
      if (kept || (position._take(frame) && (keep || !isPast))) deliver(frame, text, isPast);
    },
    refused([keys, why]) {
      const error = failure(why.kind, why.message, { ...why, topics: keys.map((key) => key.slice(2)) });
      if (subscriptions._refuse(keys, error)) emit('@error', error);
    },
  };

  function fail(error) {
    settings.log(error.message);
    emit('@error', error);
    if (error.final) close(error);
  }

  function hearServer(frame, text) {
    const { type, detail } = frame.e;
    emit('@frame', frame, text);
    emit(`@${type}`, detail);
    if (detail.recovered === false) emit('@gap', { id: detail.id });
  }

  function look() {
    const before = state;
    const { held, state: now } = source._status;
    state = now;
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

  function deliver(frame, text, isPast) {
    const { id, iat, ep, e, keep, kept = isPast } = frame;
    const { requested, emitted: topic } = ep;
    const { type, detail } = e;
    if (!subscriptions._isWanted(requested)) return;
    if (kept || keep) {
      if (isUpTo(id, told.get(requested))) return; // of one topic each is newer than those before
      told.set(requested, id);
    }
    emit('@frame', frame, text);
    if (isPresence(frame) && requested === topic) {
      const count = +detail.clid_instances;
      if (told.get(topic) === count) return; // each connection says again who is there, and each poll
      told.set(topic, count);
    }
    const event = { type, detail, topic, requested, id, iat, kept };
    emit(`@topic ${requested}`, event);
    if (type[0] !== '@') emit(type, event);
    emit('*', event);
  }

  /** Other topics are wanted. */
  function change() {
    for (const topic of told.keys()) if (!subscriptions._isWanted(topic)) told.delete(topic);
    source._announce?.();
    timer ||= setTimeout(() => {
      timer = 0;
      link._sync();
    }, SYNC_DELAY);
    look();
  }

  async function ready() {
    while (isOpen && state !== 'connected') await new Promise((resolve) => client.once('@state', resolve));
    return isOpen;
  }

  /** @param {any} more {signal, last} */
  function add(topics, handler, more) {
    const list = topics.flat().map((one) => normalised(one, settings));
    const offs = handler && [...new Set(list.map(nameOf))].map((name) => on(`@topic ${name}`, handler));
    const one = subscriptions._add(list, offs, more?.last);
    endBy(more?.signal, one._off);
    look();
    return one;
  }

  function close(error) {
    isOpen = false;
    unwatch();
    source._leave();
    subscriptions._endAll(error);
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
    _told: told,

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
      const topics = [];
      let handler, more;
      for (const one of given) {
        if (typeof one === 'function') handler = one;
        else if (!handler && (Object(one) !== one || one.topic || one.flat)) topics.push(one);
        else more = one;
      }
      const { _ready, _off } = add(topics, handler, more);
      return { ready: _ready, off: _off, then: (...both) => _ready.then(...both) };
    },

    unsubscribe(...topics) {
      subscriptions._remove(topics.flat().map((one) => keyOf(normalised(one, settings))));
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

  const { lastId: last } = settings;
  for (const topic of settings.topics || []) {
    add([topic], undefined, { last });
    if (last && !lacksValues(last)) told.set(nameOf(topic), last);
  }
  const enter = () => isOpen && source._enter();
  const unwatch = watchPage({ _probe: source._probe, _enter: enter, _leave: source._leave }, settings.hiddenTime);
  enter();
  endBy(settings.signal, () => close());
  return client;
}
