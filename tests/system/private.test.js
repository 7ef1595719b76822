'use strict';

// Private topics: who is granted one hears it, on every transport, and nobody else does in any way.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS, post } = require('./lib/every-transport');
const { END, granted, heard, placeOf, publish, startBound, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');
const { until } = require('./lib/wait');

const ORDER = 'orders/4711';

/** Who asks for which topic with which proof; `refused`: what is said, else it is heard. */
const ASKING = {
  'granted exact': { asks: ORDER, proof: () => token('ana', [ORDER]) },
  'granted pattern': { asks: ORDER, proof: () => token('ana', ['news', 'orders/+']) },
  'granted pattern, as a pattern': { asks: 'orders/+', proof: () => token('ana', ['orders/#']) },
  'granted without a user': { asks: 'orders/#', proof: () => token(undefined, ['orders/#']) },
  'not granted': { asks: ORDER, proof: () => token('ana', ['orders/4712', 'news/#']), refused: `Not granted: ${ORDER}` },
  'not granted as a whole': { asks: 'orders/+', proof: () => token('ana', [ORDER]), refused: 'Not granted: orders/\\+' },
  'not granted with levels behind': { asks: 'orders/#', proof: () => token('ana', ['orders/+']), refused: 'Not granted: orders/#' },
  expired: { asks: ORDER, proof: () => token('ana', [ORDER], { seconds: -60 }), refused: 'Invalid access token' },
  'other user': { asks: ORDER, proof: () => token('eva', []), refused: `Not granted: ${ORDER}` },
  'no grants': { asks: ORDER, proof: () => token('ana'), refused: `Not granted: ${ORDER}` },
  'no proof': { asks: ORDER, proof: () => undefined, refused: `Private topics need a proof: ${ORDER}` },
};

describe('private topics', () => {
  let bound;
  before(async () => {
    bound = await startBound({ fanout: { poll_gap: '0ms' } });
  });
  after(() => bound?.stop());
  afterEach(async () => {
    RawConnection.destroyAll();
    await bound.stack.untilTotal(0);
  });

  /** Where the log is now. */
  const now = async () => (await publish(bound, 'anywhere', 'now')).id;

  for (const [name, open] of Object.entries(TRANSPORTS)) {
    for (const [who, { asks, proof, refused }] of Object.entries(ASKING)) {
      const subscription = (more) => ({ ep: [granted(asks), END], token: proof(), ...more });

      if (refused === undefined) {
        test(`${name}, ${who}: hears live, whispers and what was missed`, async () => {
          const client = await open(placeOf(bound), subscription());
          const { connid, secret } = client.connected;
          if (name !== 'poll') {
            const seen = (await bound.stack.look('/connections?details=true'))[connid];
            assert.deepEqual(seen.body.ep.find(({ topic }) => topic), granted(asks));
          }
          assert.equal((await publish(bound, ORDER, 'open')).receivers, 0);
          await publish(bound, granted(ORDER), 'private');
          await publish(bound, { ...granted(ORDER), whisper: connid }, 'whisper');
          await publish(bound, { topic: ORDER, whisper: connid }, 'open whisper');
          await publish(bound, granted('other/4711'), 'elsewhere');
          await publish(bound, granted('+/4712/#'), 'elsewhere');
          await publish(bound, '+/4711', 'open pattern');
          await publish(bound, granted('+/4711'), 'pattern');
          assert.deepEqual(
            (await heard(bound, client))[0].filter(([, , emitted]) => emitted !== '+/4712/#'),
            [['private', asks, ORDER], ['whisper', asks, ORDER], ['pattern', asks, '+/4711']],
          );
          await client.close();
          const { last_id = await now(), ...past } = { connid, secret, ...client.past };
          await publish(bound, ORDER, 'missed open');
          await publish(bound, granted(ORDER), 'missed');
          await publish(bound, { ...granted(ORDER), whisper: connid }, 'missed whisper');
          const again = await open(placeOf(bound), subscription({ last_id, ...past }));
          assert.equal(again.connected.recovered, true);
          assert.equal(again.connected.connid, connid);
          assert.deepEqual(await heard(bound, again), [['missed', 'missed whisper'].map((type) => [type, asks, ORDER])]);
          await again.close();
        });
        continue;
      }

      test(`${name}, ${who}: is refused, and hears nothing in another way`, async () => {
        await assert.rejects(open(placeOf(bound), subscription()), new RegExp(`400 ${refused}$`, 'm'));
        const last_id = await now();
        await assert.rejects(open(placeOf(bound), subscription({ last_id })), new RegExp(`400 ${refused}$`, 'm'));
        const client = await open(placeOf(bound), { ep: [asks, '#', END] });
        await publish(bound, granted(ORDER), 'private');
        await publish(bound, { ...granted(ORDER), whisper: client.connected.connid }, 'whisper');
        assert.deepEqual((await heard(bound, client))[0].filter(([type]) => ['private', 'whisper'].includes(type)), []);
        await client.close();
        const again = await open(placeOf(bound), { ep: [asks, '#', END], last_id });
        assert.equal(again.connected.recovered, true);
        assert.deepEqual((await heard(bound, again))[0].filter(([type]) => ['private', 'whisper'].includes(type)), []);
        await again.close();
      });
    }

    test(`${name}: one topic that is not granted refuses them all`, async () => {
      const ep = [granted(ORDER), 'open/too', granted('orders/4712'), END];
      await assert.rejects(open(placeOf(bound), { ep, token: token('ana', [ORDER]) }), /400 Not granted: orders\/4712$/m);
      await bound.stack.untilTotal(0);
    });

    if (name !== 'poll') {
      test(`${name}: nothing is heard when the grant has ended`, async () => {
        const begin = () =>
          open(placeOf(bound), { ep: [granted(ORDER), END], token: token('ana', [ORDER], { seconds: 1 }) });
        const client = await until('a stream begins before its proof ends', begin);
        await client.takeUntil('expired');
        assert.equal((await publish(bound, granted(ORDER), 'too late')).receivers, 0);
        await client.close();
      });
    }
  }

  test('poll: a poll is answered when the grant ends, and nothing is heard after it', async () => {
    const ask = () => post(`${bound.url}poll`, { ep: [granted(ORDER)], token: token('ana', [ORDER], { seconds: 1 }) });
    const { events } = await until('a poll begins before its proof ends', ask);
    assert.deepEqual(events.map((frame) => frame.e.type), ['connected', 'expired']);
    assert.equal((await publish(bound, granted(ORDER), 'too late')).receivers, 0);
  });

  test('without a ticket the daemon itself gives none', async () => {
    const point = granted(ORDER);
    const body = JSON.stringify({ ep: [point] });
    const answers = [
      await bound.stack.get('/', { method: 'POST', body }),
      await bound.stack.get('/poll', { method: 'POST', body }),
      await bound.stack.get(`/sse?private=${ORDER}`),
    ];
    for (const { status, json } of answers) {
      assert.deepEqual([status, json.error], [400, `Private topics need a proof: ${ORDER}`]);
    }
  });
});

for (const log of ['memory', 'disk']) {
  describe(`open, bound and private topics of one name, and the inbox (log in ${log})`, () => {
    const NAME = 'house/lamp';
    const clients = ['open', 'bound', 'private', 'inbox'];
    let bound;
    before(async () => {
      bound = await startBound({ log: log === 'disk' ? { path: 'log.db', sync: 'always' } : {} });
      await bound.add(NAME, { owner: 'ana', sub: ['luis'] });
      await bound.esnctl('follow', NAME, 'luis');
    });
    after(() => bound?.stop());
    afterEach(() => bound.stack.untilTotal(0));

    const points = {
      open: { topic: NAME },
      bound: { topic: NAME, binded: true },
      private: { topic: NAME, private: true },
      targeted: { topic: NAME, binded: true, targeted: true },
      'to the user': { topic: NAME, to: ['luis'] },
    };
    const hears = { open: ['open'], bound: ['bound'], private: ['private'], inbox: ['targeted', 'to the user'] };

    const subscribe = (last_id) => {
      const topics = { open: NAME, bound: { topic: NAME, binded: true }, private: granted(NAME), inbox: granted('@USER@') };
      const open = (kind) =>
        TRANSPORTS.frames(placeOf(bound), { ep: [topics[kind], END], token: token('luis', ['house/#']), last_id });
      return Promise.all(clients.map(open));
    };
    const publishAll = async (more) => {
      const receivers = {};
      for (const [kind, point] of Object.entries(points)) {
        receivers[kind] = (await publish(bound, point, kind, { as: 'ana', ...more })).receivers;
      }
      return receivers;
    };
    const typesOf = (frames) => frames.map(([type]) => type);
    const eachHearsItsOwn = async (streams) => {
      const taken = await heard(bound, ...streams);
      clients.forEach((kind, i) => assert.deepEqual(typesOf(taken[i]), hears[kind], kind));
    };

    test('never cross: live', async () => {
      const streams = await subscribe();
      assert.deepEqual(await publishAll(), { open: 1, bound: 1, private: 1, targeted: 1, 'to the user': 1 });
      await eachHearsItsOwn(streams);
      await Promise.all(streams.map((stream) => stream.close()));
    });

    test('never cross: out of the log', async () => {
      const { id } = await publish(bound, 'anywhere', 'now');
      await publishAll();
      if (log === 'disk') {
        await bound.stack.daemon.end();
        await bound.stack.startDaemon();
        await bound.stack.publishInTheEnd('anywhere', 'back');
      }
      const streams = await subscribe(id);
      assert.deepEqual(streams.map((stream) => stream.connected.recovered), [true, true, true, true]);
      await eachHearsItsOwn(streams);
      await Promise.all(streams.map((stream) => stream.close()));
    });

    test('never cross: one id is another event’s in each of them', async () => {
      const streams = await subscribe();
      await publishAll({ id: 'the same' });
      await eachHearsItsOwn(streams);
      const body = { ep: Object.values(points), e: { type: 'x' } };
      const both = [await bound.post(body.ep, { as: 'ana', id: 'one post' }), await bound.post(body.ep, { as: 'ana', id: 'one post' })];
      assert.deepEqual(both[0].json.ep.map((point) => point.duplicate), Array(5).fill(undefined));
      assert.deepEqual(both[1].json.ep.map((point) => point.duplicate), Array(5).fill(true));
      await Promise.all(streams.map((stream) => stream.close()));
    });
  });
}
