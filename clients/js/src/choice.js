// Which transport is tried next, how long it may take, and how long to wait in between.

import { AGAIN, MUTE, STOPPED, UNFIT } from './failure.js';

const LONGEST_PATIENCE = 15_000;

/**
 * `names` in order of preference; the one that is `remembered` comes first. Times in ms: `patience` for the first sign of
 * life, `backoff` and `maxBackoff` for waiting.
 */
export function createChoice({ names, remembered, patience, backoff, maxBackoff }) {
  let order = [...names];
  let at = 0;
  let failures = 0;
  let isProven; // the first of the order has worked, and not failed since

  /** By chance between nothing and a limit that doubles, so that those who failed together don't come back together. */
  const chance = () => Math.random() * Math.min(maxBackoff, backoff * 2 ** failures++);

  const prefer = (name) => {
    order = [name, ...order.filter((other) => other !== name)];
    at = 0;
  };
  if (order.includes(remembered)) prefer(remembered);

  return {
    get name() {
      return order[at];
    },

    get patience() {
      return patience;
    },

    worked() {
      prefer(order[at]);
      isProven = true;
    },

    /**
     * What to do after an attempt that failed, or a connection that ended: milliseconds to wait, or undefined to go on
     * at once. `lasted`: ms for which it was connected; undefined: it never was. `why`: a failure, or undefined after a
     * clean end. `hint`: ms, of a broker that stops.
     * @param {{why?: any, lasted?: number, hint?: number}} end
     */
    after({ why, lasted, hint }) {
      const { kind, wait = 0 } = why || {};
      if (kind === AGAIN || kind === STOPPED) return undefined;
      if (lasted > 10 * backoff) failures = 0;
      if (hint !== undefined) return hint;
      if (lasted > backoff && !why) return undefined; // its time was over
      if (lasted === undefined && (kind === MUTE || kind === UNFIT)) {
        // What has worked gets a second chance: more likely than the way the broker has changed.
        if (isProven) isProven = false;
        else if (++at < order.length) return undefined;
        else patience = Math.min(2 * patience, LONGEST_PATIENCE);
      }
      at = 0;
      return wait + chance();
    },
  };
}
