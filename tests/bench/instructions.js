'use strict';

// node tests/bench/instructions.js --base DIR --build DIR [--receivers N,N] [--events N] [--rounds N]
// Whether a change costs the daemon something, closer than time could say: instructions for each event, to so many receivers,
// of two builds by turns under valgrind's callgrind. Each figure is the difference of two runs of one daemon's whole life,
// one with a hundred events and one with N (1000) more, so that starting, subscribing and ending take no part in it. DIR: a folder in
// which es-web-notify was built; each daemon has the handlers of its own build. Of the rounds the least counts: a run that takes longer,
// since the machine is busy, has more ticks of the loop in it. Ends with 1 when an event costs more than 1 % more.

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    base: { type: 'string' },
    build: { type: 'string' },
    receivers: { type: 'string', default: '1,50' },
    events: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '4' },
  },
});

const FEW = 100;
const MOST = 0.01;

process.env.ESN_BUILD ??= values.build;
const { programs, tool } = require('../system/lib/paths');
const { Stack } = require('../system/lib/stack');

/** Instructions of the daemon's life, in which `receivers` heard this many events. */
async function life(build, receivers, events) {
  programs.fanout = path.join(build, 'fanout/esn-fanout');
  programs.event = path.join(build, 'fcgi-handlers/esn-event');
  const stack = new Stack('instructions', { handlers: 1, config: { messages: { level: 'warning' } } });
  const file = path.join(stack.folder, 'callgrind.out');
  stack.options.wrapper = [tool('valgrind', 'valgrind'), '--tool=callgrind', '--quiet', `--callgrind-out-file=${file}`];
  try {
    await stack.start();
    const streams = await Promise.all(Array.from({ length: receivers }, () => stack.subscribe(['a'])));
    for (let n = 0; n < events; n++) {
      await stack.publish('a', n === events - 1 ? 'last' : 'level', { value: n, text: 'the words of an event' });
    }
    await Promise.all(streams.map((stream) => stream.takeUntil('last')));
    await Promise.all(streams.map((stream) => stream.close()));
    await stack.daemon.end();
    return Number(/^(?:summary|totals): (\d+)/m.exec(fs.readFileSync(file, 'utf8'))[1]);
  } finally {
    await stack.stop();
  }
}

async function main() {
  const builds = { base: values.base, build: values.build };
  let most = 0;
  for (const receivers of values.receivers.split(',').map(Number)) {
    const costs = { base: [], build: [] };
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [name, build] of Object.entries(builds)) {
        const few = await life(build, receivers, FEW);
        const many = await life(build, receivers, FEW + Number(values.events));
        costs[name].push((many - few) / Number(values.events));
      }
    }
    const [base, now] = [Math.min(...costs.base), Math.min(...costs.build)];
    most = Math.max(most, now / base - 1);
    const each = Object.entries(costs).map(([name, list]) => `${name} ${list.map((cost) => cost.toFixed(0)).join(', ')}`);
    console.log(`${receivers} receivers: ${each.join('; ')} instructions an event; ${((now / base - 1) * 100).toFixed(2)} %`);
  }
  process.exitCode = most > MOST ? 1 : 0;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
