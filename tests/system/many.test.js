'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Network, SERVER_ADDRESS } = require('./lib/netns');
const { freePort } = require('./lib/ports');
const { newFolder, tool } = require('./lib/paths');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');

const HALF = 5000;
const OPEN_FILES = 16_384;

test('10,000 streams, half of them on a machine that goes away', async (t) => {
  let network;
  let stack;
  let watcher;
  const holders = {};

  t.before(async () => {
    const unlimited = [tool('prlimit', 'util-linux'), `--nofile=${OPEN_FILES}:${OPEN_FILES}`];
    network = await Network.start(newFolder('net'));
    const port = await freePort();
    stack = await Stack.start('many', {
      handlers: 1,
      wrapper: [...unlimited, ...network.onServer],
      config: {
        fanout: { vanish_time: '3s' },
        // Ten thousand writes an event take their time on a busy machine.
        publish: { time_limit: '60s', down_time_limit: '60s' },
        messages: { level: 'info' },
      },
      addresses: [`127.0.0.1:${port}`, `${SERVER_ADDRESS}:${port}`],
    });
    watcher = await Subscriber.open(
      'http://localhost/',
      { ep: ['@CONNECTION@/far', '@CONNECTION@/near'], clid: 'watcher' },
      { socketPath: stack.socketPath },
    );
    const start = (clid, host, wrapper) =>
      stack.hold(HALF, {
        wrapper: [...unlimited, ...wrapper],
        words: ['--host', host, '--port', String(port), '--clid', clid],
      });
    // Events flow while the streams come.
    let isComing = true;
    const flow = (async () => {
      while (isComing) {
        await stack.publish('elsewhere', 'x');
      }
    })();
    const started = Promise.all([
      start('near', '127.0.0.1', network.onServer),
      start('far', SERVER_ADDRESS, network.onClient),
    ]);
    [holders.near, holders.far] = await started.finally(() => {
      isComing = false;
    });
    await flow;
  });

  t.after(async () => {
    await watcher?.close();
    await stack?.stop();
    await network?.stop();
  });

  const changes = (clid, type) =>
    watcher.frames
      .filter(({ json }) => json.ep.emitted === `@CONNECTION@/${clid}` && json.e.type === type)
      .map(({ json }) => json.e.detail.clid_instances);

  /** Changes of one moment are told once, with the newest count: none is told twice, and the last one is right. */
  const goTo = (counts, last, comesAfter) => {
    assert.equal(counts.at(-1), last);
    assert.ok(counts.every((count, i) => i === 0 || comesAfter(count, counts[i - 1])), JSON.stringify(counts));
  };
  const isMore = (a, b) => a > b;
  const isLess = (a, b) => a < b;

  await t.test('every one is counted, and told to who watches', async () => {
    assert.deepEqual(await stack.untilTotal(2 * HALF + 1), {
      near: HALF,
      far: HALF,
      watcher: 1,
      '@TOTAL@': 2 * HALF + 1,
    });
    for (const clid of ['near', 'far']) {
      await watcher.until(`all of ${clid}`, () => changes(clid, 'connect').at(-1) === HALF);
      goTo(changes(clid, 'connect'), HALF, isMore);
    }
  });

  await t.test('an event reaches all of them, and the counts stay right meanwhile', async () => {
    let isFlowing = true;
    const looking = (async () => {
      while (isFlowing) {
        const counts = await stack.look('/connections');
        assert.deepEqual([counts.near, counts.far, counts['@TOTAL@']], [HALF, HALF, 2 * HALF + 1]);
      }
    })();
    const events = 10;
    for (let i = 0; i < events; i++) {
      const { receivers } = await stack.publish('a', 'x', { number: i });
      assert.equal(receivers, 2 * HALF);
    }
    isFlowing = false;
    await looking;
    for (const holder of [holders.near, holders.far]) {
      await holder.untilLog(new RegExp(`^events ${events * HALF}$`, 'm'));
      assert.equal(/^lost/m.test(holder.output()), false);
    }
  });

  await t.test('half of them vanish without a word: they are dropped, the others have every event', async () => {
    await network.cut();
    let published = 10;
    await until('the far half is no longer counted', async () => {
      published++;
      const { receivers } = await stack.publish('a', 'x', { number: published });
      assert.ok(receivers >= HALF && receivers <= 2 * HALF, String(receivers));
      const counts = await stack.look('/connections');
      assert.equal(counts.near, HALF);
      return counts.far === undefined;
    });
    assert.deepEqual(await stack.look('/connections'), { near: HALF, watcher: 1, '@TOTAL@': HALF + 1 });
    await watcher.until('all disconnects', () => watcher.frames.at(-1).json.e.detail.clid_instances === 0);
    goTo(changes('far', 'disconnect'), 0, isLess);
    assert.deepEqual(changes('near', 'disconnect'), []);
    assert.equal((await stack.publish('a', 'x')).receivers, HALF);
    await holders.near.untilLog(new RegExp(`^events ${(published + 1) * HALF}$`, 'm'));
    assert.equal(/^lost/m.test(holders.near.output()), false);
  });

  await t.test('the other half is killed: nobody is left', async () => {
    await holders.near.end('SIGKILL');
    assert.deepEqual(await stack.untilTotal(1), { watcher: 1, '@TOTAL@': 1 });
    await watcher.until('the last disconnect', () => changes('near', 'disconnect').at(-1) === 0);
    goTo(changes('near', 'disconnect'), 0, isLess);
    assert.equal((await stack.publish('a', 'x')).receivers, 0);
  });
});
