// What the broker refuses is the business of the subscription that asked for it: all others go on. With the real daemon.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Stack } = require('../../../../tests/system/lib/stack.js');

const MOST = 40; // topics of a stream
const TOO_LONG = 'x'.repeat(5000);

for (const transport of ALL) {
  describe(`refused by ${transport}`, () => {
    let stack;
    let listener;
    before(async () => (stack = await Stack.start('refusals', { handlers: 1, config: { fanout: { max_topics: MOST, poll_time: '300ms' } } })));
    after(() => stack?.stop());
    afterEach(() => listener?.client.close());

    const begin = (options) => (listener = listen({ url: stack.url, transports: [transport], ...options }));
    const hears = async (topic, type) => {
      await stack.publish(topic, type);
      await listener.heard(type);
    };

    test('a topic that is refused ends its own subscription, with the reason; the others hear on, also after a break', async () => {
      begin({ topics: ['a'] });
      await listener.client.ready();
      const good = listener.client.subscribe('b');
      const bad = listener.client.subscribe(TOO_LONG);
      const both = listener.client.subscribe('c', `${TOO_LONG}c`);
      const refusal = { kind: 'refused', message: 'Topic is too long' };
      await Promise.all([good.ready, assert.rejects(bad.ready, refusal), assert.rejects(both.ready, refusal)]);
      assert.equal(await listener.client.ready(), true);
      await hears('a', 'one');
      await hears('b', 'two');
      listener.client.abort();
      await hears('a', 'three');
      assert.equal((await stack.publish('c', 'of the refused')).receivers, 0);
      assert.deepEqual(listener.types(), ['one', 'two', 'three']);
      assert.deepEqual(listener.errors.filter(({ kind }) => kind === 'refused').flatMap(({ topics }) => topics).sort(), [TOO_LONG, `${TOO_LONG}c`]);
    });

    test('a refused one among many of the beginning is found, and told once', async () => {
      begin({ topics: [...Array.from({ length: 30 }, (_, i) => `t/${i}`), TOO_LONG] });
      assert.equal(await listener.client.ready(), true);
      await hears('t/29', 'one');
      assert.deepEqual(listener.errors.map(({ kind, topics }) => [kind, topics]), [['refused', [TOO_LONG]]]);
    });

    test('one too many is refused; when others go there is room', async () => {
      begin({ topics: Array.from({ length: MOST }, (_, i) => `t/${i}`) });
      await listener.client.ready();
      await assert.rejects(listener.client.subscribe('more').ready, { kind: 'refused', message: 'Too many Event Points' });
      await hears(`t/${MOST - 1}`, 'one');
      listener.client.unsubscribe('t/0', 't/1');
      assert.equal(await listener.client.subscribe('more').ready, true);
      await hears('more', 'two');
    });
  });
}

describe('more than 64 KiB of topics', () => {
  let stack;
  before(async () => (stack = await Stack.start('long', { handlers: 1, config: { fanout: { max_body: '1M' } } })));
  after(() => stack?.stop());
  const topics = (name) => Array.from({ length: 20 }, (_, i) => `${name}/${i}/${'x'.repeat(3000)}`);

  for (const when of ['from the beginning', 'in two steps, then a break']) {
    test(`${when}: all are in force, nothing is lost`, async () => {
      const listener = listen({ url: stack.url, topics: topics('a') });
      await listener.client.ready();
      await listener.client.subscribe(topics('b'));
      const all = [...topics('a'), ...topics('b')];
      for (const [i, topic] of all.entries()) {
        if (i === 20 && when.includes('break')) {
          const { length } = listener.states;
          listener.client.abort();
          await until('it has left', () => listener.states.length > length);
        }
        await stack.publish(topic, `event-${i}`);
      }
      await listener.heard(`event-${all.length - 1}`);
      assert.deepEqual(listener.types(), all.map((_, i) => `event-${i}`));
      await listener.client.close();
    });
  }

  test('from the beginning with all at once', async () => {
    const listener = listen({ url: stack.url, topics: [...topics('a'), ...topics('b')] });
    await listener.client.ready();
    await stack.publish(topics('b')[19], 'last');
    await listener.heard('last');
    assert.notEqual(listener.client.transport, 'ws');
    await listener.client.close();
  });
});
