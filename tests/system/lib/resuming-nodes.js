'use strict';

// Clients that come and go at several daemons, of which now one and now another is killed, and their Redis too.

const assert = require('node:assert/strict');
const { Nodes } = require('./nodes');
const { runResumingOn } = require('./resuming');
const { startSentinels } = require('./sentinels');
const { pause } = require('./wait');

const SETTLED_MS = 5000; // a lease is over, and all daemons have agreed

function chance(list) {
  return list[Math.floor(Math.random() * list.length)];
}

/** What resuming.js takes for a Stack: each who comes is at another door. */
class Doors {
  constructor(all) {
    this.all = all;
    this.look = (target) => all.nodes[0].look(target);
  }

  get url() {
    return chance([...this.all.nodes.map((node) => node.url), this.all.url.slice(0, -1)]);
  }

  async post(body, options) {
    try {
      return await this.all.post(body, options);
    } catch (error) {
      return { status: 503, text: error.message }; // nginx lives on; nothing is known
    }
  }
}

/**
 * One thing after the other. A master that is lost together with a daemon, which alone may have seen its newest events, makes ids begin
 * anew: rightly, but then clients are told that something may be missing.
 */
class Turns {
  #last = Promise.resolve();

  take(act) {
    this.#last = this.#last.then(async () => {
      await act();
      await pause(SETTLED_MS);
    });
    return this.#last;
  }
}

const together = { take: (act) => act() };

async function killNodes(all, { everyMs, longestOutageMs, turns }, isOver, outages) {
  while (!isOver()) {
    const next = Date.now() + everyMs;
    while (Date.now() < next && !isOver()) {
      await pause(50);
    }
    if (isOver()) {
      return;
    }
    const node = chance(all.nodes);
    await turns.take(async () => {
      const began = Date.now();
      node.daemon.signal('SIGKILL');
      assert.equal(await node.daemon.ended, 'SIGKILL');
      await pause(Math.random() * longestOutageMs);
      await node.startDaemon();
      outages.push(Date.now() - began);
    });
  }
}

async function killRedis(all, { redisKills, durationMs, longestOutageMs, turns }, isOver, outages) {
  for (let kill = 0; kill < redisKills && !isOver(); kill++) {
    await pause((durationMs / (redisKills + 1)) * (0.7 + 0.6 * Math.random()));
    await turns.take(async () => {
      const began = Date.now();
      await all.redis.killMaster(longestOutageMs * Math.random());
      outages.push(Date.now() - began);
    });
  }
}

/** Every client has every event that was answered 200 once and in order. Gives figures; options as of runResuming(), and those of tests/soak/nodes. */
async function runOnNodes(options) {
  const start = options.sentinel ? startSentinels : undefined;
  const config = { messages: { level: 'info' }, ...(options.sentinel && { redis: { wait_replicas: 1 } }) };
  const all = await Nodes.start('soak-nodes', options.nodeCount, { config, workers: 20, startRedis: start });
  const redisOutagesMs = [];
  try {
    const figures = await runResumingOn(new Doors(all), {
      ...options,
      disturb: async (isOver) => {
        const outages = [];
        const how = { ...options, turns: options.sentinel ? new Turns() : together };
        await Promise.all([killNodes(all, how, isOver, outages), killRedis(all, how, isOver, redisOutagesMs)]);
        return outages;
      },
    });
    const states = await Promise.all(all.nodes.map((node) => node.look('/state')));
    return { ...figures, redisOutagesMs, nodes: states.map(({ node: { number, cuts, lost } }) => ({ number, cuts, lost })) };
  } finally {
    await all.stop();
  }
}

module.exports = { Doors, runOnNodes };
