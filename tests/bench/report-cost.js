'use strict';

// What `report` costs a delivery, in instructions of the daemon, counted by callgrind: an event to each of 50 streams, without a
// report, with one, and with one to streams that say what they had. ESN_BUILD=DIR node tests/bench/report-cost.js
// A figure is the difference between 50 and 350 events, divided by 300 events and 50 streams.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { tool } = require('../system/lib/paths');
const { Stack } = require('../system/lib/stack');

const STREAMS = 50;
const FEW = 50;
const MANY = 350;

/** One event after the other, each when all have the one before: none shares a write with another. */
async function publish(stack, streams, count, isReported) {
  for (let i = 1; i <= count; i++) {
    const answer = await stack.post({ ep: ['cost'], e: { type: 'n', detail: i }, ...(isReported && { report: true }) });
    if (answer.status !== 200 || answer.json.receivers !== STREAMS) {
      throw new Error(`${answer.status} ${answer.text}`);
    }
    await Promise.all(streams.map((stream) => stream.takeUntil('n')));
  }
}

/** Instructions of a daemon's life with so many events. */
async function instructions(events, { isReported, saysWhatItHad }) {
  const stack = new Stack('report-cost', { handlers: 1, workers: 1 });
  const own = fs.mkdtempSync(path.join(os.tmpdir(), 'report-cost-')); // the stack's folder goes with it
  const out = path.join(own, 'callgrind');
  stack.options.wrapper = [tool('valgrind', 'valgrind'), '--tool=callgrind', `--callgrind-out-file=${out}`];
  await stack.start();
  const body = { ep: ['cost'], ...(saysWhatItHad && { report: true }) };
  const streams = await Promise.all(Array.from({ length: STREAMS }, (_, i) => stack.subscribe({ ...body, clid: `c${i}` })));
  await publish(stack, streams, events, isReported);
  await Promise.all(streams.map((stream) => stream.close()));
  await stack.stop();
  const [, count] = /^(?:summary|totals): (\d+)/m.exec(fs.readFileSync(out, 'utf8'));
  fs.rmSync(own, { recursive: true });
  return Number(count);
}

async function main() {
  const ways = {
    'without a report': {},
    'with a report': { isReported: true },
    'with a report, to streams that say what they had': { isReported: true, saysWhatItHad: true },
  };
  let before;
  for (const [name, way] of Object.entries(ways)) {
    const [few, many] = [await instructions(FEW, way), await instructions(MANY, way)];
    const each = Math.round((many - few) / (MANY - FEW) / STREAMS);
    before ??= each;
    console.log(`${name}: ${each} instructions a delivery (${(100 * (each / before - 1)).toFixed(1)} % more)`);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
