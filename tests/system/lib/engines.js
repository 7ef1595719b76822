'use strict';

/**
 * What is another way with each engine of the bus, for tests that run on both: `stack.engine`. Where this says nothing they promise the
 * same.
 *   takes             which program of a stack takes posts, and answers 503 when it is away: the daemon; or Redis, while no daemon lives too
 *   takesAlone        whether it takes them without a daemon: they are heard when one is back
 *   daemonKeeps       whether it is the daemon that remembers posts, and writes the log to the disk
 *   keepsIds          whether ids go on as they were when the log is there again from the disk, as after a moment; else with another epoch
 *   knowsLater        whether an id that is later than the newest event may be resumed from: another daemon has told it
 *   tellsUndelivered  whether {"report": {"within": s}} is taken
 *   figures           what /state has beside the figures of both
 *   sharesSecrets     whether secrets of streams are those of several daemons: what is asked again within a second may be told the same one
 */
const engines = {
  zeromq: {
    takes: (stack) => stack.daemon,
    takesAlone: false,
    daemonKeeps: true,
    keepsIds: false,
    knowsLater: false,
    tellsUndelivered: true,
    figures: [],
    sharesSecrets: false,
  },
  redis: {
    takes: (stack) => stack.redis.program,
    takesAlone: true,
    daemonKeeps: false,
    keepsIds: true,
    knowsLater: true,
    tellsUndelivered: false,
    figures: ['node'],
    sharesSecrets: true,
  },
};

module.exports = { engines };
