// Reports: what the client says of events that were posted with `report`, on each transport, to the real daemon.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { NoPollSubscriber, isWhole } from '../lib/client.js';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Stack } = require('../../../../tests/system/lib/stack.js');
const { request } = require('../../../../tests/system/lib/http.js');

describe('reports', { skip: !isWhole && 'the core takes no part' }, () => {
  let stack;
  before(async () => {
    stack = await Stack.start('js-reports', { handlers: 1 });
  });
  after(() => stack?.stop());

  const publish = async (topic) => {
    const answer = await stack.post({ ep: [topic], e: { type: 'x' }, report: true });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.id;
  };
  const reportOf = async (id) => (await request(`${stack.eventUrl}/${id}?token=${encodeURIComponent(stack.publishToken)}`)).json;
  const hadBy = (id, count) => until(`${count} had it`, async () => ((report) => report.had === count && report)(await reportOf(id)));
  const begin = async (transport, topics) => {
    const listener = listen({ url: `${stack.url}/`, transports: [transport], topics });
    await until('it is connected', () => listener.client.state === 'connected');
    return listener;
  };

  for (const transport of ALL) {
    test(`it says what it had, by ${transport}, also of what comes under two topics and after a break`, async () => {
      const listener = await begin(transport, ['a/b', 'a/#']);
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await hadBy(await publish('a/b'), 1).then(({ sent, missing }) => [sent, missing]), [1, []]);
      }
      const ids = [await publish('a/b'), await publish('a/b')];
      listener.client.abort();
      ids.push(await publish('a/b'));
      for (const id of ids) {
        const { sent, missing } = await hadBy(id, 1);
        assert.deepEqual([sent, missing], [1, []]);
      }
      assert.equal(listener.errors.filter((error) => error.final).length, 0);
      await listener.client.close();
      await stack.untilTotal(0);
    });
  }

  test('one that was not had is missing, and not made up for by what came later elsewhere', async () => {
    const one = await begin('frames', ['a']);
    const { connid } = one.client;
    await one.client.close();
    await stack.untilTotal(0);
    const other = await begin('frames', ['a']);
    const id = await publish('a');
    const { sent } = await hadBy(id, 1);
    assert.equal(sent, 1);
    assert.notEqual(other.client.connid, connid);
    await other.client.close();
    await stack.untilTotal(0);
  });

  test('NoPollSubscriber takes part', async () => {
    const subscriber = new NoPollSubscriber({ url: `${stack.url}/`, data: { ep: ['a'] } });
    subscriber.start();
    await stack.untilTotal(1);
    await hadBy(await publish('a'), 1);
    subscriber.stop();
    subscriber.abort();
    await stack.untilTotal(0);
  });
});
