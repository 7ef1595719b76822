'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { newFolder, programs } = require('./lib/paths');
const { Stack } = require('./lib/stack');
const { cases, fillLog } = require('./lib/stranger-cases');
const { pause } = require('./lib/wait');

/** Requests one after the other, each with a ticket that is none. */
async function bringBadTickets(stack, count) {
  for (let i = 0; i < count; i++) {
    const answer = await stack.get('/?ticket=none');
    assert.equal(answer.status, 400, answer.text);
  }
}

describe('the daemon never waits for whoever reads its messages', () => {
  const folder = newFolder('messages');
  const pipe = path.join(folder, 'stderr');
  let stack;
  let end;
  before(async () => {
    execFileSync('mkfifo', [pipe]);
    end = fs.openSync(pipe, 'r+'); // and nobody reads it
    stack = await Stack.start('messages-stuck', {
      wrapper: ['/bin/sh', '-c', `exec "$0" "$@" 2>${pipe}`],
      config: { messages: { level: 'info', burst: 0, buffer: '8k' } },
    });
  });
  after(async () => {
    await stack?.stop();
    fs.closeSync(end);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('strangers make more lines than a pipe holds', async () => {
    await bringBadTickets(stack, 2000);
    assert.equal((await stack.get('/healthz')).status, 200);
    const bytes = Buffer.alloc(1 << 20);
    let text = '';
    while (!/lines lost: nobody took them in time lines=\d+/.test(text)) {
      text += bytes.toString('utf8', 0, fs.readSync(end, bytes));
    }
    assert.match(text, /ticket refused/);
  });
});

describe('strangers cannot fill the disk with messages', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('messages-many', { config: { messages: { level: 'info', burst: 20, rate: 1 } } });
  });
  after(() => stack?.stop());

  test('lines of one kind are bounded, and it is said how many were left out', async () => {
    await bringBadTickets(stack, 200);
    await stack.daemon.until('the first lines are written', () => /ticket refused/.test(stack.daemon.output()));
    assert.equal((await stack.get('/?ticket=none')).status, 400);
    const lines = stack.daemon.output().split('\n').filter((line) => /ticket refused/.test(line));
    assert.ok(lines.length <= 21, `${lines.length} lines`);
  });
});

// tests/soak/strangers does the same with more of them, beside a thousand clients. Judged by processor time of the
// daemon's thread, which does not depend on what else the machine does.
describe('whatever strangers ask for, no turn of the loop is long, and others are served', () => {
  const isSanitized = fs.readFileSync(programs.fanout).includes('__asan_init'); // everything takes several times as long
  const LONGEST_US = isSanitized ? 60_000 : 10_000;
  let stack;
  before(async () => {
    stack = await Stack.start('strangers', { handlers: 1, config: { messages: { level: 'info' } } });
    await fillLog(stack, 20_000);
  });
  after(() => stack?.stop());

  for (const [name, attack] of Object.entries(cases)) {
    test(name, async () => {
      const healthy = await stack.subscribe(['healthy']);
      let isOver = false;
      const attacking = attack({ port: stack.port, isOver: () => isOver }, 0.1);
      let worst = { cpu_us: 0 };
      for (let n = 0; n < 8; n++) {
        await stack.publish('healthy', `n${n}`);
        await healthy.takeUntil(`n${n}`);
        assert.equal((await stack.get('/healthz')).status, 200);
        const { turns, strangers } = await stack.look('/state');
        if (turns.longest_of_second.cpu_us > worst.cpu_us) {
          worst = turns.longest_of_second;
        }
        assert.ok(strangers.topics_bytes <= strangers.topics_most, JSON.stringify(strangers));
        assert.ok(strangers.bodies_bytes <= strangers.bodies_most, JSON.stringify(strangers));
        await pause(100);
      }
      isOver = true;
      await attacking;
      await healthy.close();
      assert.ok(worst.cpu_us < LONGEST_US, `the longest turn: ${JSON.stringify(worst)}`);
    });
  }
});
