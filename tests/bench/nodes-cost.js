'use strict';

// What several daemons over Redis cost beside one with ZeroMQ: posts through nginx by turns, and a shout to many streams of one
// daemon and of two. ESN_BUILD=DIR node tests/bench/nodes-cost.js [ROUNDS] [SECONDS] [STREAMS] [SHOUTS]; DIR with `make bench-tools`.
// "appendfsync always": the Redis writes to the disk before it answers. Prints JSON; figures of rounds are their medians.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ON_DISK } = require('../system/lib/nodes');
const { build, newFolder } = require('../system/lib/paths');
const { run } = require('../system/lib/program');
const { requestText } = require('../system/lib/raw');
const { Redis } = require('../system/lib/redis');
const { Stack } = require('../system/lib/stack');
const { until } = require('../system/lib/wait');

const [rounds = 3, seconds = 0.5, streams = 10_000, shouts = 20] = process.argv.slice(2).map(Number);
// Each of its connections may bring a thousand posts before nginx closes it: hence so short a time.
const CLIENTS = 16;
const WARM_UP = 1 / 6; // of the seconds, before them: post_load counts none of those posts
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const ENGINES = {
  zeromq: { engine: 'zeromq' },
  redis: { engine: 'redis' },
  'redis, appendfsync always': { engine: 'redis', words: ON_DISK },
};

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

/** Processor time of a process so far, s. proc_pid_stat(5): fields 14 and 15, counted from behind the name. */
function processorTime(pid) {
  const [, rest] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function withStack(options, work) {
  const { words, ...own } = options;
  const folder = newFolder('nodes-cost');
  const redis = words && (await Redis.start(folder, { words }));
  const config = { messages: { level: 'warning' }, ...(redis && { redis: { url: redis.url } }) };
  const stack = await Stack.start('nodes-cost', { handlers: 1, ...own, redis, config });
  try {
    return await work(stack, redis);
  } finally {
    await stack.stop();
    await redis?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Posts of an event to one subscriber, one after the other by each client: a second, and how soon they are answered. */
function measurePosts(engine) {
  return withStack(ENGINES[engine], async (stack, redis) => {
    const holder = await stack.hold(1, { words: ['--port', String(stack.port), '--ep', 'bench'] });
    const file = path.join(os.tmpdir(), `nodes-cost-${process.pid}`);
    const headers = { Authorization: `Bearer ${stack.publishToken}`, 'Content-Type': 'application/json' };
    fs.writeFileSync(file, requestText('POST', '/notify/event', { headers, body: '{"ep":["bench"],"e":{"type":"bench","detail":1}}' }));
    const parts = {
      nginx: stack.nginx.children(),
      'esn-event': stack.handlers.flatMap((handler) => handler.children()),
      'esn-fanout': [stack.daemon.pid],
      ...(engine !== 'zeromq' && { Redis: [(redis ?? stack.redis).program.pid] }),
    };
    const spent = () => Object.values(parts).map((pids) => pids.reduce((sum, pid) => sum + processorTime(pid), 0));
    const before = spent();
    const command = [path.join(build, 'tests/bench/tools/post_load'), '--port', String(stack.webPort), '--request', file];
    const ended = await run([...command, '--clients', String(CLIENTS), '--seconds', String(seconds)]);
    fs.rmSync(file);
    await holder.end();
    if (ended.code !== 0) {
      throw new Error(`${engine}: ${ended.stdout}${ended.stderr}`);
    }
    const figures = JSON.parse(ended.stdout);
    const us = spent().map((time, i) => Math.round(((time - before[i]) * 1e6) / figures.posts / (1 + WARM_UP)));
    return { rate: figures.rate, p50Us: figures.p50_us, p99Us: figures.p99_us, usOfAPost: Object.fromEntries(Object.keys(parts).map((name, i) => [name, us[i]])) };
  });
}

/** Processor time of each daemon for a shout to all streams, ms. */
async function measureShouts(count) {
  const folder = newFolder('nodes-cost-shouts');
  const redis = await Redis.start(folder, {});
  const config = { redis: { url: redis.url }, messages: { level: 'warning' }, bus: { engine: 'redis', receivers_time: '5s' } };
  const nodes = [];
  try {
    for (let i = 0; i < count; i++) {
      nodes.push(await Stack.start(`shouts-${i + 1}`, { engine: 'redis', redis, config, handlers: i === 0 ? 1 : 0 }));
    }
    const share = streams / count;
    const holders = await Promise.all(nodes.map((node) => node.hold(share, { words: ['--port', String(node.port), '--ep', 'shout'] })));
    const untilAllHave = (number) => {
      const line = new RegExp(`^events ${share * number}$`, 'm');
      return until('all have it', () => holders.every((holder) => line.test(holder.output())));
    };
    await nodes[0].publish('shout', 'warm');
    await untilAllHave(1);
    const before = nodes.map(({ daemon }) => processorTime(daemon.pid));
    for (let i = 0; i < shouts; i++) {
      const { receivers } = await nodes[0].publish('shout', 'n', i);
      if (receivers !== streams) {
        throw new Error(`${receivers} receivers instead of ${streams}`);
      }
      await untilAllHave(i + 2); // else they share writes
    }
    return nodes.map(({ daemon }, i) => ((processorTime(daemon.pid) - before[i]) * 1000) / shouts);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const posts = Object.fromEntries(Object.keys(ENGINES).map((engine) => [engine, []]));
  const oneDaemon = [];
  const eachOfTwo = [];
  for (let round = 0; round < rounds; round++) {
    for (const engine of Object.keys(ENGINES)) {
      posts[engine].push(await measurePosts(engine));
    }
    oneDaemon.push(...(await measureShouts(1)));
    eachOfTwo.push(...(await measureShouts(2)));
  }
  console.log(JSON.stringify({ posts, shouts: { streams, oneDaemonMs: median(oneDaemon), eachOfTwoMs: median(eachOfTwo), oneDaemon, eachOfTwo } }, null, 1));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
