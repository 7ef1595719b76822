// The client behind proxies that are set up as docs/clients.md says.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { proxies, startProxy } = require('../../../../tests/system/lib/proxies.js');
const { Stack } = require('../../../../tests/system/lib/stack.js');

for (const kind of proxies) {
  describe(`behind ${kind}`, () => {
    let stack;
    let proxy;
    before(async () => {
      // Who closes between two polls counts until the next one is overdue.
      stack = await Stack.start('proxy', { handlers: 1, config: { fanout: { poll_gap: '2s' } } });
      proxy = await startProxy(kind, stack.folder, stack.port);
    });
    after(async () => {
      await proxy?.stop();
      await stack?.stop();
    });

    for (const transport of ALL) {
      test(`${transport} gets through: each event at once, and what was missed after a break`, async () => {
        const listener = listen({ url: proxy.url, transports: [transport], topics: ['a'] });
        await listener.client.ready();
        for (const type of ['one', 'two']) {
          await stack.publish('a', type);
          await listener.heard(type);
        }
        const { length } = listener.states;
        listener.client.abort();
        await until('it has left', () => listener.states.length > length);
        await stack.publish('a', 'meanwhile');
        await listener.heard('meanwhile');
        assert.deepEqual(listener.types(), ['one', 'two', 'meanwhile']);
        await listener.client.close();
        await stack.untilTotal(0);
      });
    }
  });
}
