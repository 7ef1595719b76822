'use strict';

const assert = require('node:assert/strict');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { Attacked } = require('./lib/attacked');
const { slowHttpTests } = require('./lib/slowhttptest');
const { Stack } = require('./lib/stack');
const { pause, until } = require('./lib/wait');

const HEALTHY = 20;
const MB = 1024 * 1024;
const MAX_PENDING_TOTAL = 8 * MB;

// tests/soak/attackers does the same with more of them.
describe('while the daemon is attacked, healthy clients get every event, and afterwards nothing is left', () => {
  let stack;
  let attacked;
  before(async () => {
    stack = await Stack.start('attack', {
      handlers: 1,
      config: {
        fanout: {
          header_time: '2s',
          body_time: '2s',
          idle_time: '2s',
          max_pending: MAX_PENDING_TOTAL,
          max_pending_soft: MAX_PENDING_TOTAL,
          max_pending_total: MAX_PENDING_TOTAL,
        },
        log: { max_bytes: '1M' },
        messages: { level: 'info' },
      },
    });
  });
  after(() => stack?.stop());
  beforeEach(async () => {
    attacked = new Attacked(stack);
    await attacked.addHealthy(HEALTHY, ['a', 'flood']);
  });
  afterEach(() => attacked.stop());

  test('slowhttptest: heads, bodies and answers at a snail\'s pace', async () => {
    const { closed } = await stack.look('/state');
    await attacked.publishDuring(slowHttpTests(stack, { connections: 300, seconds: 5 }));
    assert.ok((await attacked.check()).events > 0);
    const now = (await stack.look('/state')).closed;
    assert.ok(now.head_time > closed.head_time, 'heads that take too long');
    assert.ok(now.body_time > closed.body_time, 'bodies that take too long');
    await attacked.checkCounts();
  });

  test('thousands of connections on which a request is begun, or nothing sent', async () => {
    await attacked.publishDuring(Promise.all([attacked.attack('unfinished', 1500), attacked.attack('silent', 1500)]));
    await attacked.publishDuring(pause(2000));
    await attacked.check();
    await attacked.endAttackers();
    await attacked.checkCounts();
  });

  test('a flood of connects and resets', async () => {
    const { accepted } = await stack.look('/state');
    await attacked.attack('resets', 50);
    await attacked.publishDuring(
      until('thousands have come and gone', async () => (await stack.look('/state')).accepted > accepted + 5000),
    );
    await attacked.check();
    await attacked.endAttackers();
    await attacked.checkCounts();
  });

  test('200 clients that stop reading under a flood of events', async () => {
    const { resident } = await stack.look('/memory');
    const { closed } = await stack.look('/state');
    await attacked.attack('stalled', 200, ['--ep', 'a', '--ep', 'flood']);
    const text = 'x'.repeat(100_000);
    let most = 0;
    await attacked.publishDuring(
      until('all are closed as slow', async () => {
        await stack.publish('flood', 'big', text);
        const memory = await stack.look('/memory');
        most = Math.max(most, memory.frames);
        assert.ok(memory.resident < resident + MAX_PENDING_TOTAL + 32 * MB, `${memory.resident} after ${resident}`);
        return (await stack.look('/state')).closed.slow === closed.slow + 200;
      }),
    );
    // What comes in one turn of the loop is held before the limit is applied.
    assert.ok(most < MAX_PENDING_TOTAL + 4 * MB, `frames held ${most} bytes`);
    await attacked.check();
    await attacked.checkCounts();
  });
});
