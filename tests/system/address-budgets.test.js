'use strict';

// What one address may have the daemon hold: bytes of topics, and of bodies that come in. It is the client's own address,
// also behind a proxy, and nobody else's.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { LinePeer } = require('./lib/two-way');
const { until } = require('./lib/wait');

const PROXY = '127.0.0.2';

/** How each of two clients comes: from an address of its own, or through a proxy that names it. */
const WAYS = {
  directly: (who) => ({ localAddress: who === 'one' ? '127.0.0.66' : '127.0.0.67', headers: {} }),
  'behind a proxy': (who) => ({ localAddress: PROXY, headers: { 'X-Forwarded-For': who === 'one' ? '192.0.2.66' : '192.0.2.67' } }),
};

let stack;
before(async () => {
  stack = await Stack.start('address-budgets', {
    lines: true,
    config: { fanout: { trusted_proxies: `${PROXY} unix`, max_topics_per_address: '64k', max_body_per_address: '64k' } },
  });
});
after(() => stack?.stop());
afterEach(async () => {
  RawConnection.destroyAll();
  await stack.untilTotal(0);
});

const strangers = async () => (await stack.look('/state')).strangers;

const topics = (name) => Array.from({ length: 120 }, (_, i) => `${name}/${i}`);

for (const [way, come] of Object.entries(WAYS)) {
  describe(way, () => {
    async function send(who, path, body, length) {
      const { localAddress, headers } = come(who);
      const connection = await RawConnection.open(stack.port, { localAddress });
      const more = length === undefined ? {} : { 'Content-Length': length };
      await connection.write(requestText('POST', path, { headers: { ...headers, ...more }, body }));
      return connection;
    }

    const subscribe = (who, name) => send(who, '/', JSON.stringify({ ep: topics(name) }));

    async function refusalOf(connection, words) {
      const answer = await connection.answer();
      assert.equal(answer.status, 503);
      assert.equal(JSON.parse(answer.text).error, words);
      return answer;
    }

    test('topics: one more is refused in words, others are not, and who leaves makes room', async () => {
      const refusedBefore = (await strangers()).topics_refused_per_address;
      const first = await subscribe('one', 'a');
      assert.equal((await first.head()).status, 200);
      assert.equal((await (await subscribe('one', 'b')).head()).status, 200);
      const refusal = await refusalOf(await subscribe('one', 'c'), 'Too many topics are held from this address at present');
      assert.equal(refusal.headers['retry-after'], '5');
      assert.equal((await (await subscribe('other', 'd')).head()).status, 200);
      const state = await strangers();
      assert.equal(state.topics_refused_per_address, refusedBefore + 1);
      assert.equal(state.topics_most_per_address, 64 * 1024);
      first.destroy();
      await stack.untilTotal(2);
      assert.equal((await (await subscribe('one', 'e')).head()).status, 200);
    });

    test('bodies: one more is refused in words, others are not, and who leaves makes room', async () => {
      const { bodies_bytes: bytes, bodies_refused_per_address: refused } = await strangers();
      const begin = (who) => send(who, '/', ' '.repeat(40_000), 60_000);
      const first = await begin('one');
      await until('it holds its bytes', async () => (await strangers()).bodies_bytes === bytes + 40_000);
      await refusalOf(await begin('one'), 'Too many requests at once from this address');
      await begin('other');
      await until('both hold theirs', async () => (await strangers()).bodies_bytes === bytes + 80_000);
      const state = await strangers();
      assert.equal(state.bodies_refused_per_address, refused + 1);
      assert.equal(state.bodies_most_per_address, 64 * 1024);
      first.destroy();
      await until('it has left', async () => (await strangers()).bodies_bytes === bytes + 40_000);
      await begin('one');
      await until('there is room', async () => (await strangers()).bodies_bytes === bytes + 80_000);
      RawConnection.destroyAll();
      await until('all is given back', async () => (await strangers()).bodies_bytes === 0);
    });
  });
}

test('topics that come by messages count too, and those that go do not', async () => {
  const peer = await LinePeer.open(stack.linesPort, { ep: topics('a') });
  const ask = async (message) => {
    await peer.say(message);
    return (await peer.message()).e;
  };
  assert.equal((await ask({ subscribe: topics('b') })).type, 'subscribed');
  const refusal = await ask({ subscribe: topics('c') });
  assert.deepEqual(refusal, { type: 'error', detail: { error: 'Too many topics are held from this address at present' } });
  assert.equal((await ask({ unsubscribe: topics('a') })).type, 'unsubscribed');
  assert.equal((await ask({ subscribe: topics('c') })).type, 'subscribed');
  peer.destroy();
});
