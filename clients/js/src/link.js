// The link to the broker: one connection after the other. There can't be two at a time, whatever happens: one loop makes
// them, and it makes the next when the one before is over.

import { attempt } from './attempt.js';
import { createChoice } from './choice.js';
import { AGAIN, DOWN, STOPPED, failure } from './failure.js';

/** Which transport worked, for as long as the tab lives. Storage may be missing or forbidden: then it is found again. */
function memory(base, name) {
  try {
    const key = `esn ${base}`;
    if (name) sessionStorage[key] = name;
    return sessionStorage[key];
  } catch {
    return undefined;
  }
}

/**
 * `settings` are those of connect(), complete. `feed`:
 *   topics()           map of the topics that are wanted now (topics.js)
 *   position           how far was heard (position.js)
 *   frame(frame, text) one came that is no double
 *   change()           state, who or held is another
 *   error(failure)     what made an attempt or a connection end
 */
export function createLink(settings, feed) {
  const { base } = settings;
  const names = settings.transports.filter((name) => name !== 'ws' || settings.WebSocket);
  const choice = createChoice({ ...settings, names, remembered: memory(base) });
  let isWanted = false;
  let isRunning = false;
  let current; // attempt
  let wake; // ends the waiting

  const link = {
    /** @type {import('../types/index.js').State} */
    state: 'closed',
    transport: undefined, // its name, while connected
    who: {}, // connid and secret of the newest connection
    held: undefined, // topics in force on this connection, or on the last one
    /** @type {Promise<unknown>} */
    over: Promise.resolve(), // when the last connection is over
    worked,
    start,
    stop,
    /** Ends this connection, as if it had broken. */
    abort: () => current?.cut(failure(DOWN, 'Aborted')),
    /** Other topics are wanted. */
    sync: () => current?.sync(),
    probe,
  };

  /** @param {import('../types/index.js').State} state */
  function become(state) {
    if (state !== 'connected') link.transport = undefined;
    link.state = state;
    feed.change();
  }

  function worked(name) {
    choice.worked();
    memory(base, name);
    link.transport = name;
    become('connected');
  }

  function start() {
    isWanted = true;
    wake?.();
    if (!isRunning) link.over = run();
  }

  /** With `softly`, the connection of now may go on until it ends by itself. */
  function stop(softly = false) {
    isWanted = false;
    wake?.();
    if (!softly) current?.cut(failure(STOPPED));
  }

  function probe(surely) {
    wake?.();
    current?.probe(surely);
  }

  async function run() {
    let isQuiet; // the topics are others; all that was heard is heard on
    isRunning = true;
    while (isWanted) {
      if (!isQuiet) become('connecting');
      current = attempt(settings, feed, link, choice.name, choice.patience);
      const end = await current.over;
      const wait = choice.after(end);
      current = undefined;
      isQuiet = end.why?.kind === AGAIN;
      if (wait !== undefined) {
        if (end.why) feed.error(end.why);
        if (isWanted) await rest(wait);
      }
    }
    isRunning = false;
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
