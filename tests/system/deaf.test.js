'use strict';

// A client is told which of its bound topics its user could not hear, since silence looks the same either way.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS, post } = require('./lib/every-transport');
const { END, placeOf, startBound, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');
const { Subscriber } = require('./lib/subscriber');
const { ask } = require('./lib/two-way');
const { WebSocketPeer } = require('./lib/websocket');

const binded = (topic) => ({ topic, binded: true });

describe('deaf topics', () => {
  let bound;
  before(async () => {
    bound = await startBound({ fanout: { poll_gap: '0ms' }, acl: { time_limit: '5s', down_time: '0s' } });
    await bound.add('of/luis', { owner: 'luis' });
    await bound.add('of/eva', { owner: 'eva' });
    await bound.add('of/eva too', { owner: 'eva', sub: ['ana'] });
  });
  after(() => bound?.stop());
  afterEach(async () => {
    RawConnection.destroyAll();
    await bound.stack.untilTotal(0);
  });

  const TOPICS = ['of/luis', 'of/eva', 'of/nobody', 'of/eva too'].map(binded);
  const DEAF = [
    { topic: 'of/eva', reason: 'forbidden' },
    { topic: 'of/nobody', reason: 'unregistered' },
    { topic: 'of/eva too', reason: 'forbidden' },
  ];

  for (const [name, open] of Object.entries(TRANSPORTS)) {
    test(`${name}: are named when the stream begins`, async () => {
      const client = await open(placeOf(bound), { ep: [...TOPICS, END, binded('@USER@')], token: token('luis') });
      assert.deepEqual(client.connected.deaf, DEAF);
      await client.close();
    });

    test(`${name}: are not spoken of when there are none`, async () => {
      for (const subscription of [{ ep: [binded('of/luis')], token: token('luis') }, { ep: ['of/eva'] }]) {
        const client = await open(placeOf(bound), subscription);
        assert.equal(client.connected.deaf, undefined);
        await client.close();
      }
    });
  }

  test('are those of that moment: a right that is given later is heard', async () => {
    await bound.add('later', { owner: 'ana' });
    const first = await TRANSPORTS.frames(placeOf(bound), { ep: [binded('later')], token: token('luis') });
    assert.deepEqual(first.connected.deaf, [{ topic: 'later', reason: 'forbidden' }]);
    await bound.esnctl('topic', 'grant', 'sub', 'later', 'luis');
    assert.equal((await bound.publish('later', { as: 'ana', type: 'heard' })).receivers, 1);
    await first.takeUntil('heard');
    const second = await TRANSPORTS.frames(placeOf(bound), { ep: [binded('later')], token: token('luis') });
    assert.equal(second.connected.deaf, undefined);
    await Promise.all([first.close(), second.close()]);
  });

  test('are named when topics come later', async () => {
    const { ticket } = await post(`${bound.url}ticket`, { ep: TOPICS, token: token('luis') });
    const peer = await WebSocketPeer.open(bound.web.port, '/notify/ws');
    const { type, detail } = await ask(peer, { subscribe: [], ticket });
    assert.deepEqual([type, detail], ['subscribed', { topics: 4, deaf: DEAF }]);
    const luis = await bound.publish('of/luis', { as: 'luis', type: 'x' });
    assert.equal(luis.receivers, 1);
  });

  test('many of them, with long names', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `${i % 3 === 0 ? 'of/luis' : 'long/'.repeat(10)}${i}`);
    for (const name of names.filter((_, i) => i % 30 === 0)) {
      await bound.add(name, { owner: 'luis' });
    }
    await bound.add(names[1], { owner: 'eva' });
    const client = await Subscriber.open(bound.url, { ep: names.map(binded), token: token('luis') });
    const expected = names
      .map((topic, i) => i % 30 !== 0 && { topic, reason: i === 1 ? 'forbidden' : 'unregistered' })
      .filter(Boolean);
    assert.deepEqual(client.connected.deaf, expected);
    await client.close();
  });

  test('are not known while the database is away, which keeps nobody out', async () => {
    fs.renameSync(bound.sqlite, `${bound.sqlite}.away`);
    const client = await TRANSPORTS.frames(placeOf(bound), { ep: TOPICS, token: token('luis') });
    fs.renameSync(`${bound.sqlite}.away`, bound.sqlite);
    assert.equal(client.connected.deaf, undefined);
    await client.close();
  });
});
