// Which transports are tried, in which order, when the next is begun beside the one under way, and how long to wait in between.

import { AGAIN, MUTE, UNFIT } from './failure.js';

const LONGEST_PATIENCE = 15_000;
const LIMIT = 15; // times the patience
const LONGEST_LIMIT = 30_000;

/**
 * `names` in order of preference; the one that is `remembered` comes first. Times in ms: `patience` for the first sign of
 * life, `backoff` and `maxBackoff` for waiting.
 */
export function createChoice({ names, remembered, patience, backoff, maxBackoff }) {
  let order = [...names];
  let failures = 0;
  let took; // ms until the first of the order had connected; undefined: it has failed since

  /** By chance between nothing and a limit that doubles, so that those who failed together don't come back together. */
  const chance = () => Math.random() * Math.min(maxBackoff, backoff * 2 ** failures++);

  const prefer = (name) => {
    order = [name, ...order.filter((other) => other !== name)];
  };
  if (order.includes(remembered)) prefer(remembered);

  return {
    /** As they are tried. */
    _order: () => order,

    /** After so many ms without a sign of life the next one is tried as well. What has worked is trusted for longer. */
    _patience: () => (took === undefined ? patience : 4 * Math.max(patience, took)),

    /** So many ms is each given in all. */
    _limit: () => Math.max(patience, Math.min(LIMIT * patience, LONGEST_LIMIT)),

    /** Whether the first of the order has worked, and not failed since. */
    _isProven: () => took !== undefined,

    _prefer: prefer,

    _worked(name, time) {
      prefer(name);
      took = time;
    },

    /**
     * What to do after a round that came to nothing, or a connection that ended: milliseconds to wait, or undefined to go
     * on at once. `lasted`: ms for which it was connected; undefined: it never was. `why`: a failure, or undefined after a
     * clean end. `hint`: ms, of a broker that stops.
     * @param {{_why?: any, _lasted?: number, _hint?: number}} end
     */
    _after({ _why: why, _lasted: lasted, _hint: hint }) {
      const { kind, wait = 0, final } = why || {};
      if (kind === AGAIN || final) return undefined;
      if (lasted > 10 * backoff) failures = 0;
      if (hint !== undefined) return hint;
      if (lasted > backoff && !why) return undefined; // its time was over
      if (lasted === undefined && (kind === MUTE || kind === UNFIT)) {
        if (took === undefined) patience = Math.min(2 * patience, LONGEST_PATIENCE);
        took = undefined;
      }
      return wait + chance();
    },
  };
}
