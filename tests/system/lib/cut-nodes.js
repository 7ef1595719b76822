'use strict';

// Clients that come and go at three daemons, of which the third has a network of its own, with a line to Redis that is cut now and then.

const net = require('node:net');
const { Nodes, ON_DISK } = require('./nodes');
const { tool } = require('./paths');
const { Program, run } = require('./program');
const { Redis } = require('./redis');
const { Doors } = require('./resuming-nodes');
const { runResumingOn } = require('./resuming');
const { pause, until } = require('./wait');

const HERE = '192.0.2.1';
const THERE = '192.0.2.2';
const PORT = 6379;
const RELAY = `
  const net = require('node:net');
  net.createServer((client) => {
    const redis = net.connect(process.argv[1]);
    for (const [from, to] of [[client, redis], [redis, client]]) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  }).listen(${PORT}, '${HERE}');
`;

/** Two network namespaces, joined by a line and by nothing else: in one of them a Redis listens. For root. */
class Line {
  static async start() {
    const line = new Line();
    const [redis, daemon] = [line.#redis, line.#daemon];
    await line.#ip('netns', 'add', redis);
    await line.#ip('netns', 'add', daemon);
    await line.#ip('-n', redis, 'link', 'add', 'line', 'type', 'veth', 'peer', 'name', 'line', 'netns', daemon);
    for (const [name, address] of [[redis, HERE], [daemon, THERE]]) {
      await line.#ip('-n', name, 'address', 'add', `${address}/30`, 'dev', 'line');
      await line.#ip('-n', name, 'link', 'set', 'line', 'up');
      await line.#ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    return line;
  }

  #redis = `esn-redis-${process.pid}`;
  #daemon = `esn-daemon-${process.pid}`;
  #relay;
  inside = this.#in(this.#daemon);

  #in(name) {
    return [tool('ip', 'iproute2'), 'netns', 'exec', name];
  }

  async #ip(...words) {
    const ended = await run([tool('ip', 'iproute2'), ...words]);
    if (ended.code !== 0) {
      throw new Error(`ip ${words.join(' ')}: ${ended.stderr}`);
    }
  }

  /** From now on Redis, on this socket, listens at the end of the line. */
  lead(socket) {
    this.#relay = new Program('relay', [...this.#in(this.#redis), process.execPath, '-e', RELAY, socket], { log: `${socket}.relay.log` });
    return `redis://${HERE}:${PORT}/0`;
  }

  /** Whole or cut; nobody is told. */
  async set(isWhole) {
    await this.#ip('-n', this.#redis, 'link', 'set', 'line', isWhole ? 'up' : 'down');
  }

  async stop() {
    await this.#relay?.end();
    await this.#ip('netns', 'delete', this.#daemon);
    await this.#ip('netns', 'delete', this.#redis);
  }
}

/** Clients and nginx reach the daemon in its namespace by its Unix socket, from the port that it has there. */
async function forward(stack) {
  const server = net.createServer((client) => {
    const daemon = net.connect(stack.socketPath);
    for (const [from, to] of [[client, daemon], [daemon, client]]) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(stack.port, '127.0.0.1', resolve));
  return server;
}

/** Every client has every event that was answered 200 once and in order. Options: cuts, cutMs, rate, clientCount, durationMs. */
async function runCutOff({ cuts, cutMs, ...options }) {
  const line = await Line.start();
  let redis;
  let server;
  let all;
  try {
    all = await Nodes.start('soak-cut', 3, {
      config: { messages: { level: 'info' } },
      workers: 20,
      startRedis: async (folder) => (redis = await Redis.start(folder, { words: ON_DISK })),
      prepare: (stack, number) => {
        if (number === 3) {
          stack.options.wrapper = line.inside;
          stack.config.redis = { ...stack.config.redis, url: line.lead(redis.socket) };
        }
      },
    });
    server = await forward(all.nodes[2]);
    const readyAgainMs = [];
    const ready = async () => (await all.nodes[2].get('/readyz')).status === 200;
    const figures = await runResumingOn(new Doors(all), {
      ...options,
      disturb: async (isOver) => {
        for (let cut = 0; cut < cuts && !isOver(); cut++) {
          await pause((options.durationMs / cuts - cutMs) / 2);
          await line.set(false);
          await pause(cutMs);
          await line.set(true);
          const began = Date.now();
          await until('it serves again', ready);
          readyAgainMs.push(Date.now() - began);
        }
        return [];
      },
    });
    const { node } = await all.nodes[2].look('/state');
    return { ...figures, readyAgainMs, cuts: node.cuts, lost: node.lost };
  } finally {
    server?.close();
    await all?.stop();
    await line.stop();
  }
}

module.exports = { runCutOff };
