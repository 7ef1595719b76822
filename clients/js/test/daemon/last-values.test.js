// Last values with the real daemon, by every way in: each once, in order, never one that is older than what was heard already. And
// what of presence is void after a restart.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Stack } = require('../../../../tests/system/lib/stack.js');

const MANY = 300;

for (const transport of ALL) {
  describe(`last values by ${transport}`, () => {
    let stack;
    let listener;
    let ends = 0;
    before(async () => {
      stack = await Stack.start('js-values', { handlers: 1, config: { log: { path: 'recent.log' }, fanout: { poll_time: '300ms' } } });
    });
    after(() => stack?.stop());
    afterEach(() => listener?.client.close());

    const begin = async (topics, more) => {
      listener = listen({ url: stack.url, transports: [transport], topics: [...topics, 'end'], ...more });
      await listener.client.ready();
    };
    const post = async (point, detail) => {
      const answer = await stack.post({ ep: [point], e: { type: 'value', detail } });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.id;
    };
    const keep = (topic, detail) => post({ topic, keep: true }, detail);

    /** What was heard by now: the detail, with `=` before it when it was kept. */
    async function heard() {
      const type = `end-${++ends}`;
      await stack.publishInTheEnd('end', type);
      await listener.heard(type);
      return listener.events.filter((event) => event.type === 'value').map(({ kept, detail }) => `${kept ? '=' : ''}${detail}`);
    }

    const restart = async () => {
      await stack.daemon.end('SIGKILL');
      await stack.startDaemon();
    };

    test('who comes later hears them once, also after breaks and a restart, and then what is new', async () => {
      const ids = [await keep('one/a', 'a'), await keep('one/b', 'b')];
      await keep('one/gone', 'gone');
      await keep('one/gone', null);
      await post('one/a', 'passing');
      await begin(['one/#', 'one/b']);
      assert.deepEqual((await heard()).sort(), ['=a', '=b', '=b']);
      assert.deepEqual([...new Set(listener.events.filter(({ kept }) => kept).map(({ id }) => id))], ids);
      listener.client.abort();
      assert.equal((await heard()).length, 3);
      await keep('one/a', 'new');
      assert.deepEqual((await heard()).slice(3), ['new']);
      await restart();
      assert.equal((await heard()).length, 4);
      await keep('one/b', 'newest');
      assert.deepEqual((await heard()).slice(4), ['newest', 'newest']);
      listener.client.abort();
      assert.equal((await heard()).length, 6);
    });

    test('one whose connection is cut before anything else has come hears each once', async () => {
      const events = Array.from({ length: MANY }, (_, i) => ({
        ep: [{ topic: `cut/${i}`, keep: true }],
        e: { type: 'value', detail: `${i} ${'x'.repeat(300)}` },
      }));
      const { status, json } = await stack.post({ events });
      assert.deepEqual([status, json.events.every((event) => event.status === 200)], [200, true]);
      await begin(['cut/#']);
      for (let i = 0; i < 3; i++) {
        listener.client.abort();
        await listener.client.ready();
      }
      const values = await heard();
      assert.deepEqual(values.map((value) => parseInt(value.slice(1))), Array.from({ length: MANY }, (_, i) => i));
      assert.ok(values.every((value) => value.startsWith('=')));
    });

    test('a topic that is wanted later brings its value, the newest last, and nothing else comes again', async () => {
      await keep('late/a', 'a');
      await keep('late/b', 'old');
      await begin(['late/a']);
      assert.deepEqual(await heard(), ['=a']);
      await keep('late/b', 'b'); // nothing of this is for the client, so it does not know how far the log is
      await post('late/b', 'passing');
      const later = [];
      await listener.client.subscribe('late/b', ({ detail, kept }) => later.push([detail, kept])).ready;
      await keep('late/b', 'live');
      await heard();
      assert.deepEqual(later.slice(-2), [['b', true], ['live', false]]);
      assert.ok(later.length <= 3 && (later.length < 3 || later[0].join() === 'old,true'), later.join(' '));
      assert.deepEqual((await heard()).filter((value) => value.endsWith('a')), ['=a']);
      listener.client.unsubscribe('late/a');
      await until('it is given up', async () => (await stack.publish('late/a', 'x')).receivers === 0);
      await listener.client.subscribe('late/a');
      assert.deepEqual((await heard()).filter((value) => value.endsWith('a')), ['=a', '=a']);
    });

    test('who begins with a position hears none; of topics that come later it does', async () => {
      const id = await keep('from/a', 'a');
      await keep('from/b', 'b');
      await keep('from/a', 'a2');
      await begin(['from/a'], { lastId: id });
      assert.deepEqual(await heard(), ['a2']);
      await listener.client.subscribe('from/b');
      assert.deepEqual(await heard(), ['a2', '=b']);
    });

    test('what was known of presence by patterns is void after a restart: it is said, and then who is there', async () => {
      await begin(['@CONNECTION@/+'], { clid: 'page' });
      const said = [];
      listener.client.on('@presence', ({ told }) => said.push(told));
      listener.client.on({ topic: '@CONNECTION@/+' }, ({ type, topic, detail }) => said.push(`${type} ${topic} ${detail.clid_instances}`));
      await heard();
      const phone = await stack.subscribe({ ep: [], clid: 'phone' });
      await until('it came', () => said.includes('connect @CONNECTION@/phone 1'));
      await phone.close();
      await until('it went', () => said.some((one) => one.startsWith('disconnect')));
      await restart();
      await until('it is said', () => said.includes('all'));
      const again = await stack.subscribe({ ep: [], clid: 'phone' });
      await until('it is there', () => said.slice(said.indexOf('all')).includes('connect @CONNECTION@/phone 1'));
      await again.close();
    });
  });
}
