// The client in Node with the real daemon and real handlers, by every way in.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Stack } = require('../../../../tests/system/lib/stack.js');
const { Bound } = require('../../../../tests/system/lib/bound.js');
const { bindKey } = require('../../../../tests/system/lib/bind-keys.js');

const ROUNDS = 5; // of killing the daemon
const EACH = 20; // events between two of them

for (const transport of ALL) {
  describe(`with the daemon by ${transport}`, () => {
    let stack;
    let listener;
    before(async () => {
      stack = await Stack.start('js', { handlers: 1, config: { log: { path: 'recent.log' }, fanout: { poll_time: '300ms' } } });
    });
    after(() => stack?.stop());
    afterEach(() => listener?.client.close());

    const begin = async (options) => {
      listener = listen({ url: stack.url, transports: [transport], ...options });
      await listener.client.ready();
    };

    test('all kinds of events', async () => {
      await begin({ topics: ['house/+/lamp', 'news/#', 'news/today'], clid: 'tablet' });
      const { client } = listener;
      const detail = { text: 'é \u2028 😀 \' " \\ <', list: [1, null, true, { deep: [] }], zero: '\0' };
      await stack.publish('house/kitchen/lamp', 'switched', detail);
      await stack.publish('news/today', 'headline');
      await stack.publish('house/kitchen', 'not heard');
      const whispered = await client.whisper('answer', (connid) =>
        stack.post({ ep: [{ topic: 'news/today', whisper: connid }], e: { type: 'answer', detail: 42 } }),
      );
      assert.equal(whispered.detail, 42);
      await until('all were heard', () => listener.events.length >= 5);
      const order = ({ type }) => ['switched', 'headline', 'answer'].indexOf(type);
      assert.deepEqual(listener.events.map(order), [0, 1, 1, 2, 2], 'in the order of publishing');
      // In which order one event comes for two topics is not promised.
      const sorted = listener.events.toSorted((a, b) => order(a) - order(b) || (a.requested < b.requested ? -1 : 1));
      assert.deepEqual(
        sorted.map(({ type, requested, topic }) => [type, requested, topic]),
        [
          ['switched', 'house/+/lamp', 'house/kitchen/lamp'],
          ['headline', 'news/#', 'news/today'],
          ['headline', 'news/today', 'news/today'],
          ['answer', 'news/#', 'news/today'],
          ['answer', 'news/today', 'news/today'],
        ],
      );
      assert.deepEqual(listener.events[0].detail, detail);
      assert.equal('detail' in listener.events[1] && listener.events[1].detail, undefined);
    });

    test('presence: how many there are, who comes and who goes', async () => {
      await begin({});
      const counts = [];
      listener.client.presence('phone', (count) => counts.push(count));
      await until('the first count', () => counts.length === 1);
      const phone = await stack.subscribe({ ep: [], clid: 'phone' });
      await until('it came', () => counts.length === 2);
      await phone.close();
      await until('it went', () => counts.length === 3);
      assert.deepEqual(counts, [0, 1, 0]);
    });

    test('topics come and go on the run', async () => {
      await begin({ topics: ['a'] });
      const { client } = listener;
      const { connid } = client;
      await stack.publish(['a', 'b'], 'one');
      await listener.heard('one');
      await client.subscribe('b');
      await stack.publish(['a', 'b'], 'two');
      await until('both were heard', () => listener.events.length === 3);
      client.unsubscribe('a');
      await until('a is gone', async () => {
        const { receivers } = await stack.publish('a', 'gone?');
        return receivers === 0;
      });
      await stack.publish(['a', 'b'], 'three');
      await listener.heard('three');
      const heard = listener.events.filter(({ type }) => type !== 'gone?').map(({ type, topic }) => `${type} ${topic}`);
      assert.deepEqual(heard, ['one a', 'two a', 'two b', 'three b']);
      assert.equal(client.connid, connid);
    });

    test(`the daemon is killed ${ROUNDS} times while events are published: each is heard once, in order`, async () => {
      await begin({ topics: ['steady'] });
      const published = [];
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < EACH; i++) {
          const type = `event-${round}-${i}`;
          await stack.publishInTheEnd('steady', type);
          published.push(type);
          if (i === 7) {
            await stack.daemon.end('SIGKILL');
            await stack.startDaemon();
          }
        }
      }
      await listener.heard(published.at(-1));
      // publishInTheEnd() may say an event again that the killed daemon had logged: then the id of the post tells.
      assert.deepEqual(listener.types(), published);
      assert.equal(listener.meter.peak, 1);
      assert.equal((await stack.untilTotal(1))['@TOTAL@'], 1);
    });

    test('the daemon stops and says when to come back; it is waited for that long', async () => {
      await begin({ topics: ['a'] });
      await stack.daemon.end();
      await until('it waits', () => listener.states.includes('waiting'));
      await stack.startDaemon();
      await listener.client.ready();
      await stack.publishInTheEnd('a', 'after');
      await listener.heard('after');
    });
  });
}

for (const web of ['nginx', 'Apache with mod_fcgid', 'Apache with mod_proxy_fcgi']) {
  describe(`bound topics behind ${web}`, () => {
    let bound;
    let listener;
    before(async () => {
      bound = await Bound.start({ web });
      await bound.add('CASA/NIVEL_AGUA', { owner: 'ana' });
    });
    after(() => bound?.stop());
    afterEach(() => listener?.client.close());

    for (const transport of ALL) {
      test(`by ${transport}: for the user alone who may hear, with a new bind key after each break`, async () => {
        let asked = 0;
        const options = (user) => ({
          url: bound.url,
          transports: [transport],
          topics: [{ topic: 'CASA/NIVEL_AGUA', binded: true }, 'open'],
          bindKey: async () => {
            asked++;
            return bindKey(user);
          },
        });
        listener = listen(options('ana'));
        const other = listen(options('luis'));
        try {
          assert.ok((await listener.client.ready()) && (await other.client.ready()));
          assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'level' })).result, 'sent');
          await listener.heard('level');
          const before = asked;
          listener.client.abort();
          await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'meanwhile' });
          await listener.heard('meanwhile');
          assert.ok(asked > before);
          assert.equal((await bound.post('open', { type: 'end' })).status, 200);
          await Promise.all([listener.heard('end'), other.heard('end')]);
          assert.deepEqual(listener.types(), ['level', 'meanwhile', 'end']);
          assert.deepEqual(other.types(), ['end']);
        } finally {
          await other.client.close();
        }
      });
    }
  });
}
