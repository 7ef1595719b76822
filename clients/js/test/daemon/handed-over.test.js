// The client where esn-subscribe hands over, with real bind keys: a web server that redirects, and one that does it itself.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { bindKey } = require('../../../../tests/system/lib/bind-keys.js');
const { Bound } = require('../../../../tests/system/lib/bound.js');

const MANY = 1000; // more than a ticket holds, and as many as the broker takes

for (const [web, mode] of Object.entries({ 'Apache with mod_proxy_fcgi': 'redirect', 'nginx': 'accel' })) {
  describe(`handed over by ${mode}`, () => {
    let bound;
    before(async () => {
      bound = await Bound.start({ web });
      await bound.add('mine', { sub: ['luis'] });
    });
    after(() => bound?.stop());

    const begin = async (transports, more = []) => {
      const topics = [{ topic: 'mine', bound: true }, ...more];
      const listener = listen({ url: bound.url, transports, topics, bindKey: async () => bindKey('luis') });
      await until('it is connected', () => listener.client.state === 'connected');
      return listener;
    };

    const hearsAfterABreakToo = async (listener) => {
      await bound.publish('mine', { as: 'ana', type: 'one' });
      await listener.heard('one');
      const { length } = listener.states;
      listener.client.abort();
      await until('it has left', () => listener.states.length > length);
      await bound.publish('mine', { as: 'ana', type: 'two' });
      await listener.heard('two');
    };

    for (const transport of ALL) {
      test(`bound topics by ${transport}, after a break too`, async () => {
        const listener = await begin([transport]);
        const { client } = listener;
        assert.deepEqual([client.transport, client.user], [transport, 'luis']);
        await hearsAfterABreakToo(listener);
        await client.subscribe('open').ready;
        await bound.stack.publish('open', 'three');
        await listener.heard('three');
        assert.deepEqual(listener.types(), ['one', 'two', 'three']);
        await client.close();
        await bound.stack.untilTotal(0);
      });
    }

    test('open topics alone, by the first way in that there is for them', async () => {
      const listener = listen({ url: bound.url, topics: ['open'] });
      await until('it is connected', () => listener.client.state === 'connected');
      assert.equal(listener.client.transport, mode === 'redirect' ? 'frames' : 'ws');
      await bound.stack.publish('open', 'one');
      await listener.heard('one');
      await listener.client.close();
      await bound.stack.untilTotal(0);
    });

    test('so many bound topics that no ticket holds them, by the first way in that takes a body, after a break too', async () => {
      const listener = await begin(ALL, Array.from({ length: MANY - 1 }, (_, i) => ({ topic: `one/of/many/${i}`, bound: true })));
      const { client } = listener;
      assert.equal(client.transport, 'frames');
      await hearsAfterABreakToo(listener);
      assert.deepEqual(listener.types(), ['one', 'two']);
      await client.close();
      await bound.stack.untilTotal(0);
    });

    test('so many, and WebSockets alone: it says why it is not connected', async () => {
      const topics = Array.from({ length: MANY }, (_, i) => ({ topic: `one/of/many/${i}`, bound: true }));
      const listener = listen({ url: bound.url, transports: ['ws'], topics, bindKey: async () => bindKey('luis') });
      await until('it has said so', () => listener.errors.length > 0);
      const { kind, message } = listener.errors[0];
      assert.deepEqual([kind, message], ['unfit', 'Too many topics']);
      await listener.client.close();
    });
  });
}
