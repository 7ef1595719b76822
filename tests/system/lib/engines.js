'use strict';

/**
 * What is another way with each engine of the bus, for tests that run on both: `stack.engine`. Where this says nothing they promise the
 * same.
 *   name        of [bus] engine
 *   takes       which program of a stack takes posts, and answers 503 when it is away: the daemon; or Redis, while no daemon lives too
 *   takesAlone  whether it takes them without a daemon: they are heard when one is back
 */
const engines = {
  zeromq: { name: 'zeromq', takes: (stack) => stack.daemon, takesAlone: false },
  redis: { name: 'redis', takes: (stack) => stack.redis.program, takesAlone: true },
};

module.exports = { engines };
