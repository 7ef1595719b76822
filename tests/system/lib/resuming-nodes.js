'use strict';

// Clients that come and go at several daemons, of which now one and now another is killed, and their Redis too.

const assert = require('node:assert/strict');
const { Nodes } = require('./nodes');
const { runResumingOn } = require('./resuming');
const { startSentinels } = require('./sentinels');
const { pause } = require('./wait');

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

async function killNodes(all, { everyMs, longestOutageMs }, isOver, outages) {
  while (!isOver()) {
    const next = Date.now() + everyMs;
    while (Date.now() < next && !isOver()) {
      await pause(50);
    }
    if (isOver()) {
      return;
    }
    const node = chance(all.nodes);
    const began = Date.now();
    node.daemon.signal('SIGKILL');
    assert.equal(await node.daemon.ended, 'SIGKILL');
    await pause(Math.random() * longestOutageMs);
    await node.startDaemon();
    outages.push(Date.now() - began);
  }
}

async function killRedis(all, { redisKills, durationMs, longestOutageMs }, isOver, outages) {
  for (let kill = 0; kill < redisKills && !isOver(); kill++) {
    await pause((durationMs / (redisKills + 1)) * (0.7 + 0.6 * Math.random()));
    const began = Date.now();
    await all.redis.killMaster(longestOutageMs * Math.random());
    outages.push(Date.now() - began);
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
        await Promise.all([killNodes(all, options, isOver, outages), killRedis(all, options, isOver, redisOutagesMs)]);
        return outages;
      },
    });
    const states = await Promise.all(all.nodes.map((node) => node.look('/state')));
    return { ...figures, redisOutagesMs, nodes: states.map(({ node: { number, cuts, lost } }) => ({ number, cuts, lost })) };
  } finally {
    await all.stop();
  }
}

module.exports = { runOnNodes };
