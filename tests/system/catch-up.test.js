'use strict';

// What it costs when many come back at once with the same topics: counted in work, not in time. tests/soak/catch-up prints
// the processor time.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');
const { Stranger, fillLog, range, subscription } = require('./lib/stranger-cases');
const { until } = require('./lib/wait');

const TOPICS = 20_000;
const MANY = 25;

describe('many that come back with the same topics cost little more than one', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('catch-up', { handlers: 1, config: { messages: { level: 'info' } } });
    await fillLog(stack, TOPICS);
    await stack.publish('z', 'the-last-one');
  });
  after(() => stack?.stop());

  /** Work and frames that it took to give `count` clients everything; all of them ask in one moment. */
  async function costOf(count, request) {
    const state = await stack.look('/state');
    stack.daemon.signal('SIGSTOP');
    const clients = range(count, () => new Stranger(stack, { keeps: Infinity }).say(request));
    await Promise.all(clients.map(({ socket }) => until('it is connected', () => !socket.connecting && socket.writableLength === 0)));
    stack.daemon.signal('SIGCONT');
    await Promise.all(clients.map((client) => until('it has everything', () => client.end.includes('the-last-one'))));
    for (const client of clients) {
      assert.equal(client.text.match(/"type":"fill"/g).length, TOPICS);
      await client.leave();
    }
    const now = await stack.look('/state');
    return {
      formatted: now.frames_formatted - state.frames_formatted,
      shared: now.replayed_shared - state.replayed_shared,
      work: now.strangers.replay_work - state.strangers.replay_work,
    };
  }

  for (const [name, request] of [
    ['frames', subscription(['#'], { last_id: '0-0' })],
    ['Server-Sent Events', 'GET /sse?ep=%23&last_id=0-0 HTTP/1.1\r\nHost: x\r\n\r\n'],
  ]) {
    test(name, async () => {
      const one = await costOf(1, request);
      const many = await costOf(MANY, request);
      assert.equal(one.shared, 0);
      assert.ok(one.formatted >= TOPICS, JSON.stringify(one));
      assert.ok(many.formatted < 5 * one.formatted, JSON.stringify({ one, many }));
      assert.ok(many.shared > (MANY - 5) * TOPICS, JSON.stringify({ one, many }));
      assert.ok(many.work < 8 * one.work, JSON.stringify({ one, many }));
    });
  }
});
