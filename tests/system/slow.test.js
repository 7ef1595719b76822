'use strict';

const assert = require('node:assert/strict');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const BIG = 'x'.repeat(100_000);

describe('clients that do not read', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('slow', {
      handlers: 1,
      config: { fanout: { max_pending: '1M', max_pending_soft: '256k', soft_time: '1s', max_pending_total: '4M' } },
    });
  });
  after(() => stack?.stop());
  beforeEach(() => stack.untilTotal(0));

  /** Publishes big events until only `left` streams are left; gives how many events that took. */
  async function publishUntilLeft(left) {
    for (let count = 1; ; count++) {
      await stack.publish('a', 'big', { count, BIG });
      const counts = await stack.look('/connections');
      if (counts['@TOTAL@'] <= left) {
        assert.equal(counts['@TOTAL@'], left);
        return count;
      }
      assert.ok(count < 1000, 'a hundred megabytes wait for one client');
    }
  }

  test('are closed as slow past the hard limit, the others have every event', async () => {
    const reader = await stack.subscribe(['a']);
    const sleeper = await stack.subscribe({ ep: ['a'], clid: 'sleeper' });
    sleeper.pause();
    const count = await publishUntilLeft(1);
    const [frames] = await stack.drain('a', reader);
    assert.deepEqual(
      frames.slice(1).map((frame) => frame.json.e.detail.count),
      Array.from({ length: count }, (_, i) => i + 1),
    );
    await stack.daemon.untilLog(new RegExp(`stream ended .* connid=${sleeper.connid} .*reason=slow$`, 'm'));
    assert.equal((await stack.look('/connections')).sleeper, undefined);
    await reader.close();
    await sleeper.close();
  });

  test('many of them share the total limit', async () => {
    const sleepers = [];
    for (let i = 0; i < 20; i++) {
      const sleeper = await stack.subscribe({ ep: ['a'], clid: 'sleeper' });
      sleeper.pause();
      sleepers.push(sleeper);
    }
    const reader = await stack.subscribe(['a']);
    await publishUntilLeft(1);
    await reader.close();
    await Promise.all(sleepers.map((sleeper) => sleeper.close()));
  });

  test('an event larger than the limits reaches who reads', async () => {
    const reader = await stack.subscribe(['a']);
    const detail = 'é'.repeat(450_000); // 2.7 MB as ASCII
    await stack.publish('a', 'huge', detail);
    const frames = await reader.takeUntil('huge');
    assert.equal(frames.at(-1).json.e.detail === detail, true);
    await reader.close();
  });
});

describe('clients that are late', () => {
  let stack;
  beforeEach(async () => {
    stack = await Stack.start('late', {
      handlers: 1,
      config: { fanout: { max_pending: '64M', max_pending_soft: '256k', soft_time: '1s', stream_time: '1h' } },
    });
  });
  afterEach(() => stack?.stop());

  const EVENTS = 20;

  /** More than the system's buffers take. */
  async function publishMuch() {
    for (let count = 0; count < EVENTS; count++) {
      await stack.publish('a', 'big', { count, text: 'x'.repeat(900_000) });
    }
  }

  test('are closed as slow when they stay above the soft limit, and said so', async () => {
    const sleeper = await stack.subscribe(['a']);
    sleeper.pause();
    const { closed } = await stack.look('/state');
    await publishMuch();
    await stack.untilTotal(0);
    assert.equal((await stack.look('/state')).closed.slow, closed.slow + 1);
    await sleeper.close();
  });

  test('have everything in order when they catch up in time', async () => {
    stack.writeConfig({ fanout: { soft_time: '10m' } });
    stack.daemon.signal('SIGHUP');
    await stack.daemon.untilLog(/configuration reloaded/);
    const late = await stack.subscribe(['a']);
    late.pause();
    await publishMuch();
    await until('its events wait', async () => (await stack.look('/state')).slow === 1);
    late.resume();
    const [frames] = await stack.drain('a', late);
    const counts = frames.slice(1).map((frame) => frame.json.e.detail.count);
    assert.deepEqual(counts, Array.from({ length: EVENTS }, (_, i) => i));
    assert.equal((await stack.look('/state')).slow, 0);
    await late.close();
  });
});
