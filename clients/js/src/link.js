// The link to the broker: one connection after the other. One loop makes them, and it makes the next when the one before is
// over. Until the first sign of life several ways in may be under way beside each other (RFC 8305, section 5); the first
// that is connected stays.

import { attempt } from './attempt.js';
import { createChoice } from './choice.js';
import { AGAIN, DOWN, MUTE, UNFIT, failure, isTooMuch } from './failure.js';
import { createPosition } from './position.js';
import { LONGEST_TIMER } from './timer.js';

const LOOK_LIMIT = 10_000; // for a better way in to show that it is open
const LONGEST_PAUSE = 3_600_000; // between two such looks

/**
 * `settings` are those of connect(), complete. `feed`:
 *   _topics()            map of the topics that are wanted now (topics.js)
 *   _position            how far was heard (position.js)
 *   _tell(kind, value, text)  frame: one came, doubles too; mark: all up to this id has come; refused: [keys, why], the broker
 *                        does not take these topics
 *   _change()            state, topics in force or who are others
 *   _error(failure)      what made an attempt or a connection end
 *   _memory(name)        may be missing: remembers which transport worked, gives the one that did
 */
export function createLink(settings, feed) {
  const { log } = settings;
  const names = settings.transports.filter((name) => name !== 'ws' || settings.WebSocket);
  const choice = createChoice({ ...settings, names, remembered: feed._memory?.() });
  const good = new Set(); // keys of topics that were in force
  const bad = new Map(); // keys of refused topics: why
  let most = Infinity; // so many topics at once of which that is not known yet
  let isWanted = false;
  let isRunning = false;
  let running = []; // attempts under way
  let current; // the one that is connected
  let wake; // ends the waiting
  let next; // timer of the next attempt beside
  let goOn; // begins it
  let look, lookPause; // for a better way in

  /** @type {any} */
  const link = {
    state: 'closed',
    // transport: its name, while connected
    // at: id up to which this connection has told all; head: newest id when it began
    // _had: newest id that was had of events with a report; _say(): says so on the connection of now, or the last one
    who: {}, // connid and secret of the newest connection
    held: new Map(), // topics in force on this connection, or on the last one
    _over: Promise.resolve(), // when the last connection is over
    _start: start,
    _stop: stop,
    /** Ends this connection, as if it had broken. */
    _abort: () => cutAll(failure(DOWN, 'Aborted')),
    /** Other topics are wanted. */
    _sync: () => current?._sync(),
    _probe: probe,

    // for attempts
    _choose: choose,
    _hold(topics) {
      link.held = topics;
      for (const key of topics.keys()) good.add(key);
      most *= 2;
    },
    _refused: refused,
    _asked: () => {
      clearTimeout(next);
      if (goOn) next = setTimeout(goOn, choice._patience());
    },
    _won: won,
  };

  const cutAll = (why, except) => running.forEach((one) => one === except || one._cut(why));

  /** Those of the wanted topics that may be asked for now; of those not in force so many characters. */
  function choose(wanted, room = Infinity) {
    let left = most;
    for (const key of bad.keys()) if (!wanted.has(key)) bad.clear(); // there may be room now
    return new Map(
      [...wanted].filter(([key, topic]) => {
        if (bad.has(key)) return false;
        if (link.held.has(key) && good.has(key)) return true;
        room -= JSON.stringify(topic).length + 1;
        return room >= 0 && (good.has(key) || left-- > 0);
      }),
    );
  }

  /**
   * Topics were refused, at least one of these. Which one, is found by asking for half of those that were never in force.
   * Gives why the connection ends.
   */
  function refused(asked, why) {
    const doubtful = [...asked].filter(([key]) => !good.has(key));
    if (!doubtful.length) {
      good.clear(); // what was granted once is so no more
      return why;
    }
    if (doubtful.length > 1) {
      most = Math.ceil(doubtful.length / 2);
    } else {
      const keys = (isTooMuch(why) ? [...feed._topics()] : doubtful).map(([key]) => key).filter((key) => !good.has(key));
      for (const key of keys) bad.set(key, why);
      const { message } = why; // an error's own words are left out by copies
      feed._tell('refused', [keys, { ...why, message }]);
    }
    return failure(AGAIN);
  }

  /** @param {import('../types/index.js').State} state */
  function become(state) {
    if (state !== 'connected') link.transport = undefined;
    link.state = state;
    feed._change();
  }

  function won(winner) {
    const name = winner._name;
    goOn = undefined;
    clearTimeout(next);
    current = winner;
    cutAll(failure(AGAIN), winner);
    choice._worked(name, winner._took());
    feed._memory?.(name);
    log('connected by', name);
    link.transport = name;
    lookLater(name);
    become('connected');
  }

  /** After a while, and then more and more rarely, a way in that is better than this one gets another chance. */
  function lookLater(name) {
    const better = names.slice(0, names.indexOf(name));
    clearTimeout(look);
    if (better.length && settings.betterTime < LONGEST_TIMER) {
      look = setTimeout(() => lookFor(better), (lookPause ||= settings.betterTime));
      lookPause = Math.min(2 * lookPause, LONGEST_PAUSE);
    }
  }

  /** By a connection of its own that wants nothing. */
  function lookFor(better) {
    const scout = createLink(
      { ...settings, transports: better, clid: '', ticket: undefined, betterTime: Infinity, identity: {} },
      { _topics: () => new Map(), _position: createPosition(), _tell() {}, _error() {}, _change: done },
    );
    const here = current;
    setTimeout(done, LOOK_LIMIT, true);
    function done(isOver) {
      const name = scout.transport;
      if (!name && !isOver) return;
      scout._stop();
      if (here !== current || !here) return;
      if (name) {
        lookPause = undefined;
        choice._prefer(name);
        here._cut(failure(AGAIN));
      } else {
        lookLater(here._name);
      }
    }
    scout._start();
  }

  function start() {
    isWanted = true;
    bad.clear();
    wake?.();
    if (!isRunning) link._over = run();
    else if (link.state === 'closed') become('connecting');
  }

  /** With `softly`, the connection of now may go on until it ends by itself. */
  function stop(softly = false) {
    isWanted = false;
    clearTimeout(look);
    wake?.();
    if (softly) return;
    link.state = 'closed';
    cutAll(failure(AGAIN));
  }

  function probe(surely) {
    wake?.();
    current?._probe(surely);
  }

  /** All ways in, until one is connected; gives how it ended, when it is over, or why none was. */
  async function round() {
    const order = [...choice._order()];
    const proven = choice._isProven() && order[0];
    /** @type {any} */
    let end;
    await new Promise((resolve) => {
      goOn = () => {
        const name = order.shift();
        if (!name) return;
        const one = attempt(settings, feed, link, name, running.length > 0, choice._limit());
        running.push(one);
        one._over.then((result) => {
          running = running.filter((other) => other !== one);
          over(one, result);
          if (!running.length) resolve();
        });
      };
      function over(one, result) {
        const { kind } = result._why || {};
        if (one === current || !current) end = result;
        if (current) return;
        log(one._name, result._why?.message);
        if (kind !== MUTE && kind !== UNFIT) {
          order.length = 0; // the broker has said no, or is not there
          if (kind !== DOWN) cutAll(result._why);
        } else if (one._name === proven) {
          order.length = 0; // what has worked gets a second chance
        }
        if (!running.length) goOn?.();
      }
      goOn();
    });
    goOn = undefined;
    clearTimeout(next);
    current = undefined;
    return end;
  }

  async function run() {
    let isQuiet; // the topics are others; all that was heard is heard on
    isRunning = true;
    while (isWanted) {
      if (!isQuiet) become('connecting');
      const end = await round();
      const { _why: why } = end;
      const wait = choice._after(end);
      isQuiet = why?.kind === AGAIN;
      if (why?.final) isWanted = false;
      if (why && (why.final || wait !== undefined)) feed._error(why);
      if (isWanted && wait !== undefined) await rest(wait);
    }
    isRunning = false;
    clearTimeout(look);
    become('closed');
  }

  function rest(wait) {
    const isOffline = globalThis.navigator?.onLine === false;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      wake = () => {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      };
      become(isOffline ? 'offline' : 'waiting');
    });
  }

  return link;
}
