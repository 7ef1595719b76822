// What a page wants to hear. Each subscription counts by itself: a topic is wanted for as long as one of them has it.

import { isUpTo } from './position.js';
import { keyOf, missingIn, nameOf } from './topics.js';

/** `changed()` is called when other topics are wanted. */
export function createSubscriptions(changed) {
  const all = new Set(); // of {_topics, _isPlain, _settle, _end}
  const since = new Map(); // key of a topic that was in force: what came up to this id is not for the page
  let wanted = new Map();
  let names = new Set();

  function count() {
    wanted = new Map([...all].flatMap(({ _topics }) => [..._topics]));
    names = new Set([...wanted.values()].map(nameOf));
    for (const key of since.keys()) if (!wanted.has(key)) since.delete(key);
    changed();
  }

  function end(one, how, value) {
    if (!all.delete(one)) return;
    one._end?.();
    one._settle(how, value);
    count();
  }

  return {
    _wanted: () => wanted,
    _isWanted: (name) => names.has(name),

    /** Topics that were in force before. */
    _known: () => new Map([...wanted].filter(([key]) => since.has(key))),

    /** With `last`, what came after this id is for the page. */
    _add(topics, isPlain, last) {
      let settle;
      const one = {
        _topics: new Map(topics.map((topic) => [keyOf(topic), topic])),
        _isPlain: isPlain,
        _end: undefined,
        /** Resolves with true when all are in force, with false when it was ended before; rejects when one is refused. */
        _ready: new Promise((resolve, reject) => (settle = { resolve, reject })),
        _settle: (how, value) => settle[how](value),
        _off: () => end(one, 'resolve', false),
      };
      one._ready.catch(() => {}); // it is told as "@error" too
      if (last) for (const key of one._topics.keys()) since.set(key, since.get(key) || last);
      all.add(one);
      count();
      return one;
    },

    /** Takes back as many plain subscriptions as topics are given. */
    _remove(keys) {
      for (const key of keys) {
        const one = [...all].find(({ _isPlain, _topics }) => _isPlain && _topics.has(key));
        if (!one) continue;
        one._topics.delete(key);
        if (!one._topics.size) end(one, 'resolve', false);
      }
      count();
    },

    /** These topics, and with each the subscription that wanted it, are refused. True when there was one. */
    _refuse(keys, failure) {
      const refused = [...all].filter(({ _topics }) => keys.some((key) => _topics.has(key)));
      for (const one of refused) end(one, 'reject', failure);
      return refused.length > 0;
    },

    /** These topics are in force; those that were not before begin with this id. */
    _hold(held, id) {
      for (const key of wanted.keys()) if (held.has(key) && !since.has(key)) since.set(key, id);
    },

    /** Tells those that wait, when the page is connected. */
    _settle(held) {
      for (const one of all) if (!missingIn(held, one._topics).length) one._settle('resolve', true);
    },

    /** Whether something came before the page has asked for it, under this name. */
    _isPast(name, id) {
      const ids = [...wanted].filter(([, topic]) => nameOf(topic) === name).map(([key]) => since.get(key));
      return ids.length > 0 && ids.every((from) => from && isUpTo(id, from));
    },

    _endAll(how, value) {
      for (const one of all) {
        one._end?.();
        one._settle(how, value);
      }
    },
  };
}
