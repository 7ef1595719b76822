// What a page wants to hear. Each subscription counts by itself: a topic is wanted for as long as one of them has it.

import { isUpTo } from './position.js';
import { keyOf, missingIn, nameOf } from './topics.js';

/** `changed()` is called when other topics are wanted. */
export function createSubscriptions(changed) {
  const all = new Set(); // of {_topics, _offs, _settle}
  const since = new Map(); // key of a topic that was in force: what came up to this id is not for the page
  let wanted = new Map();
  let names = new Set();

  function count() {
    wanted = new Map([...all].flatMap(({ _topics }) => [..._topics]));
    names = new Set([...wanted.values()].map(nameOf));
    for (const key of since.keys()) if (!wanted.has(key)) since.delete(key);
    changed();
  }

  function end(one, error) {
    if (!all.delete(one)) return;
    one._offs?.forEach((off) => off());
    one._settle(false, error);
    count();
  }

  return {
    _wanted: () => wanted,
    _isWanted: (name) => names.has(name),

    _since: since,

    /** `offs` end its handlers; a plain one has none. With `last`, what came after this id is for the page. */
    _add(topics, offs, last) {
      let settle;
      const one = {
        _topics: new Map(topics.map((topic) => [keyOf(topic), topic])),
        _offs: offs,
        /** Resolves with true when all are in force, with false when it was ended before; rejects when one is refused. */
        _ready: new Promise((resolve, reject) => (settle = (value, error) => (error ? reject(error) : resolve(value)))),
        _settle: settle,
        _off: () => end(one),
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
        const one = [...all].find(({ _offs, _topics }) => !_offs && _topics.has(key));
        if (!one) continue;
        one._topics.delete(key);
        if (!one._topics.size) end(one);
      }
      count();
    },

    /** These topics, and with each the subscription that wanted it, are refused. How many there were. */
    _refuse(keys, error) {
      const refused = [...all].filter(({ _topics }) => keys.some((key) => _topics.has(key)));
      for (const one of refused) end(one, error);
      return refused.length;
    },

    /** These topics are in force; those that were not before begin with this id. */
    _hold(held, id) {
      for (const key of wanted.keys()) if (held.has(key) && !since.has(key)) since.set(key, id);
    },

    /** Tells those that wait, when the page is connected. */
    _settle(held) {
      for (const one of all) if (!missingIn(held, one._topics).length) one._settle(true);
    },

    /** Whether something came before the page has asked for it, under this name; also of what it does not want. */
    _isPast(name, id) {
      const from = [...wanted].filter(([, topic]) => nameOf(topic) === name).map(([key]) => since.get(key));
      return from.every((last) => isUpTo(id, last));
    },

    _endAll(error) {
      for (const one of all) end(one, error);
    },
  };
}
