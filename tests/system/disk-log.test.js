'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

function newStack(label, log = {}, options = {}) {
  const stack = new Stack(label, { handlers: 1, workers: 4, ...options });
  stack.logFile = path.join(stack.folder, 'log');
  stack.config = { log: { path: stack.logFile, ...log }, ...options.config };
  return stack;
}

const types = (frames) => frames.map((frame) => frame.json.e.type);

/** Ends the daemon in the given way and starts it again. */
async function restart(stack, signal) {
  await stack.daemon.end(signal);
  await stack.startDaemon();
  // The handlers find it by themselves.
  await until('events are taken again', async () => (await stack.post({ ep: ['again'], e: { type: 'x' } })).status === 200);
}

for (const signal of ['SIGTERM', 'SIGKILL']) {
  describe(`a log that is synced always, and ${signal}`, () => {
    let stack;
    before(async () => {
      stack = newStack('keep');
      await stack.start();
    });
    after(() => stack?.stop());

    test('what was acknowledged is replayed, once and in order, with the same ids', async () => {
      const client = await stack.subscribe(['a/+']);
      const start = client.connected.id;
      const ids = [];
      for (let i = 0; i < 50; i++) {
        ids.push((await stack.publish(`a/${i % 3}`, `e${i}`, { i })).id);
      }
      await client.takeUntil('e49');
      await client.close();
      await restart(stack, signal);
      const back = await stack.subscribe({ ep: ['a/+'], last_id: start });
      assert.equal(back.connected.recovered, true);
      await stack.publish('a/0', 'last');
      const frames = (await back.takeUntil('last')).slice(1, -1);
      assert.deepEqual(frames.map(({ json }) => json.id), ids);
      assert.deepEqual(types(frames), ids.map((_, i) => `e${i}`));
      assert.deepEqual(frames[7].json.e, { type: 'e7', detail: { i: 7 } });
      await back.close();
      const middle = await stack.subscribe({ ep: ['a/+'], last_id: ids[40] });
      assert.equal(middle.connected.recovered, true);
      assert.deepEqual(types(await middle.takeUntil('last')).slice(1), [...ids.slice(41).map((_, i) => `e${i + 41}`), 'last']);
      await middle.close();
    });

    test('the same id posted before and after is delivered once, and answered with its first numbers', async () => {
      const client = await stack.subscribe(['b']);
      const body = { id: 'only-once', ep: ['b'], e: { type: 'once' } };
      const first = await stack.post(body);
      assert.equal(first.status, 200, first.text);
      await client.takeUntil('once');
      await restart(stack, signal);
      const again = await stack.subscribe({ ep: ['b'], last_id: client.connected.id });
      const second = await stack.post(body);
      assert.equal(second.status, 200, second.text);
      assert.equal(second.json.id, first.json.id);
      assert.equal(second.json.ep[0].duplicate, true);
      await stack.publish('b', 'last');
      assert.deepEqual(types(await again.takeUntil('last')), ['connected', 'once', 'last']);
      await again.close();
      await client.close();
    });

    test('connection ids of before are not given again', async () => {
      const one = await stack.subscribe(['c']);
      await restart(stack, signal);
      const other = await stack.subscribe(['c']);
      assert.ok(other.connid > one.connid, `${one.connid} then ${other.connid}`);
      await other.close();
      await one.close();
    });
  });
}

describe('one file for two daemons', () => {
  let stack;
  before(async () => {
    stack = newStack('two', {}, { handlers: 0 });
    await stack.start();
  });
  after(() => stack?.stop());

  test('the second one does not start and says why', async () => {
    const file = path.join(stack.folder, 'second.conf');
    fs.writeFileSync(
      file,
      `[fanout]\nlisten = unix:${stack.folder}/second.sock\n` +
        `[bus]\nevents = ipc://${stack.folder}/events2\nacks = ipc://${stack.folder}/acks2\n[log]\npath = ${stack.logFile}\n`,
    );
    const { code, stderr } = await run([programs.fanout, '--config', file]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot open the event log .*another process has it open/);
    assert.equal(stack.daemon.isRunning, true);
  });

  test('the files are for their owner alone', () => {
    for (const name of fs.readdirSync(stack.folder).filter((entry) => entry.startsWith('log'))) {
      assert.equal(fs.statSync(path.join(stack.folder, name)).mode & 0o777, 0o600, name);
    }
  });
});
