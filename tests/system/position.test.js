'use strict';

// The id of the newest event, which a backend renders into its page: the page goes on from there, and has lost nothing.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { runCgi } = require('./lib/cgi');
const { programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

for (const log of ['memory', 'disk']) {
  describe(`the position (log in ${log})`, () => {
    let stack;
    before(async () => {
      stack = await Stack.start(`position-${log}`, { handlers: 1, config: { log: log === 'disk' ? { path: 'log.db' } : {} } });
    });
    after(() => stack?.stop());

    const ask = (options) => stack.post(undefined, { method: 'GET', ...options });

    async function position() {
      const answer = await until('the position', async () => {
        const { status, json } = await ask();
        return status === 200 && json;
      });
      assert.deepEqual(Object.keys(answer), ['id']);
      return answer.id;
    }

    async function hearsFrom(id, type) {
      const client = await stack.subscribe({ ep: ['a'], last_id: id });
      assert.equal(client.connected.recovered, true, id);
      const events = (await client.takeUntil(type)).slice(1);
      await client.close();
      return events.map(({ json }) => json.e.type);
    }

    test('nothing falls between rendering and subscribing, under a stream of events', async () => {
      let committed = 0; // what the page's data would have
      let isStopped = false;
      const publishing = (async () => {
        while (!isStopped) {
          committed++;
          const answer = await stack.post({ ep: ['numbers'], e: { type: 'n', detail: committed } });
          assert.equal(answer.status, 200, answer.text);
        }
      })();
      publishing.catch(() => {});
      for (let page = 0; page < 20; page++) {
        const id = await position();
        const rendered = committed;
        const client = await stack.subscribe({ ep: ['numbers'], last_id: id });
        assert.equal(client.connected.recovered, true);
        await Promise.race([publishing, client.until('later events', () => (client.frames.at(-1).json.e.detail ?? 0) > rendered + 2)]);
        const numbers = client.frames.slice(1).map(({ json }) => json.e.detail);
        assert.ok(numbers[0] <= rendered + 1, `has ${rendered}, then hears ${numbers[0]}`);
        assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + i));
        await client.close();
      }
      isStopped = true;
      await publishing;
    });

    test('it is that of the event before', async () => {
      const { id } = (await stack.post({ ep: ['a'], e: { type: 'x' } })).json;
      assert.equal(await position(), id);
      assert.equal(await position(), id, 'asking changes nothing');
      await stack.publish('a', 'after');
      assert.deepEqual(await hearsFrom(id, 'after'), ['after']);
    });

    test('one of a daemon that was just started, and has had no event, can be resumed from', async () => {
      const before = await position();
      await stack.endTaking();
      const away = await ask();
      assert.deepEqual([away.status, away.json.error], [503, 'The fan-out daemon did not say its position in time']);
      assert.equal(away.headers['retry-after'], '1');
      await stack.startTaking();
      const id = await position();
      assert.equal(id === before, log === 'disk' && stack.engine.keepsIds);
      await stack.publishInTheEnd('a', 'first');
      assert.deepEqual(await hearsFrom(id, 'first'), ['first']);
      if (log === 'disk') {
        assert.deepEqual(await hearsFrom(before, 'first'), ['first']);
      }
    });

    test('the operator asks with esnctl, on the bus or as a backend does it', async () => {
      const { id } = (await stack.post({ ep: ['a'], e: { type: 'x' } })).json;
      const ask = (...words) => run([programs.esnctl, 'position', ...words], { env: { ESN_CONF: stack.file } });
      for (const by of [[], ['--url', `${stack.webUrl}/notify/`], ['--url', stack.eventUrl]]) {
        assert.deepEqual([(await ask(...by)).stdout, (await ask('--json', ...by)).stdout], [`${id}\n`, `{"id":"${id}"}\n`]);
      }
      assert.deepEqual([(await ask('x')).code, (await ask('--url', 'http://127.0.0.1:1/', '--token-file', '/nowhere')).code], [2, 1]);
    });

    test('it is for publishers', async () => {
      assert.equal((await ask({ token: 'wrong' })).status, 404);
      assert.equal((await ask({ method: 'PUT' })).status, 405);
      assert.match((await ask({ method: 'PUT' })).headers.allow, /^GET, POST, OPTIONS$/);
      assert.equal((await ask({ url: stack.eventUrl.replace(/event$/, 'drop') })).status, 405);
    });
  });
}

test('the first daemon of all says one too', async () => {
  const stack = await Stack.start('position-first', { handlers: 0 });
  try {
    const { json } = await runCgi(stack.file, { method: 'GET', query: `token=${stack.publishToken}` });
    const { id } = json;
    assert.match(id, /^\d+-0$/);
    const client = await stack.subscribe({ ep: ['a'], last_id: id });
    assert.equal(client.connected.recovered, true);
  } finally {
    await stack.stop();
  }
});
