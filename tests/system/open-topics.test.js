'use strict';

// What strangers may hear: [subscribe] open and presence, wherever they come in.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS, post, queryOf } = require('./lib/every-transport');
const { granted, heard, placeOf, publish, startWithoutDatabase, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');
const { claims, ticket } = require('./lib/tickets');
const { LinePeer, ask, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const TICKETS = 'the secret of the tickets of these tests';
const OPEN = ['news/#', 'news', 'news/today', 'news/+/x', 'status', 'shop/7/state', 'shop/+/state', 'the/end'];
const CLOSED = ['#', '+', '+/#', 'news2', 'stat', 'status/#', 'shop/#', 'shop/7', 'shop/+/+', 'secret', '@app/x', '@SERVER@'];
const PRESENCE = ['@CONNECTION@/ana', '@CONNECTION@/+', '@CONNECTION@/#', '@CONNECTION@'];

const notOpen = (topic) => `Topic is not open to everybody: ${topic}`;
const notProven = (topic) => `Presence topics need a proof: ${topic}`;
const REFUSED = [...CLOSED.map((topic) => [topic, notOpen(topic)]), ...PRESENCE.map((topic) => [topic, notProven(topic)])];

/** The ways in at the daemon itself; each gives the reason why it refuses. */
const AT_THE_DAEMON = {
  frames: async ({ stack }, ep) => (await stack.get('/', { method: 'POST', body: JSON.stringify({ ep }) })).json.error,
  sse: async ({ stack }, ep) => (await stack.get(`/sse?${queryOf({ ep })}`)).json.error,
  'sse in a POST': async ({ stack }, ep) =>
    (await stack.get('/', { method: 'POST', headers: { Accept: 'text/event-stream' }, body: JSON.stringify({ ep }) })).json.error,
  poll: async ({ stack }, ep) => (await stack.get('/poll', { method: 'POST', body: JSON.stringify({ ep }) })).json.error,
  'poll by query': async ({ stack }, ep) => (await stack.get(`/poll?${queryOf({ ep })}`)).json.error,
  async websocket({ stack }, ep) {
    const error = await WebSocketPeer.open(stack.port, `/ws?${queryOf({ ep })}`).catch((refusal) => refusal.message);
    return /400 (.*)$/m.exec(error)?.[1];
  },
  async lines({ linesPort }, ep) {
    const peer = await LinePeer.connect(linesPort);
    await peer.say({ ep });
    return (await peer.message()).error;
  },
  async 'a ticket of nobody'({ stack }, ep) {
    const body = ticket(claims({ ep }), { secret: TICKETS });
    return (await stack.get(`/?ticket=${body}`)).json.error;
  },
};

const LATER = {
  websocket: ({ stack }) => WebSocketPeer.open(stack.port, '/ws?ep=status'),
  lines: ({ linesPort }) => LinePeer.open(linesPort, { ep: ['status'] }),
};

describe('open topics', () => {
  let bed;
  before(async () => {
    bed = await startWithoutDatabase({
      subscribe: { open: 'news/# status shop/+/state the/end', presence: 'proven' },
      fanout: { poll_gap: '0ms' },
    });
  });
  after(() => bed?.stop());
  afterEach(async () => {
    RawConnection.destroyAll();
    await bed.stack.untilTotal(0);
  });

  for (const [name, open] of Object.entries(TRANSPORTS)) {
    test(`${name}, behind the web server: are heard, and nothing else is`, async () => {
      const client = await open(placeOf(bed), { ep: OPEN });
      await publish(bed, 'news/today', 'x');
      assert.deepEqual((await heard(bed, client))[0].map(([, requested]) => requested).sort(), ['news/#', 'news/today']);
      await client.close();
      for (const [topic, reason] of REFUSED) {
        const refusal = await open(placeOf(bed), { ep: ['news/today', topic] }).catch((error) => error.message);
        assert.equal(/400 (.*)$/m.exec(refusal)?.[1], reason, `${topic}: ${refusal}`);
      }
    });

    test(`${name}: a proof opens presence, and no other topic`, async () => {
      const client = await open(placeOf(bed), { ep: [...PRESENCE, 'the/end'], token: token('ana') });
      await client.close();
      for (const topic of CLOSED) {
        await assert.rejects(open(placeOf(bed), { ep: [topic], token: token('ana', ['#']) }), /400 Topic is not open/, topic);
      }
      const private_ = await open(placeOf(bed), { ep: [granted('secret'), 'the/end'], token: token('ana', ['#']) });
      await private_.close();
    });
  }

  for (const [name, refusalOf] of Object.entries(AT_THE_DAEMON)) {
    test(`${name}, at the daemon’s own port: the same`, async () => {
      for (const [topic, reason] of REFUSED) {
        assert.equal(await refusalOf(bed, ['news/today', topic]), reason, topic);
      }
    });
  }

  for (const [name, open] of Object.entries(LATER)) {
    test(`${name}: the same for topics that come later`, async () => {
      const peer = await open(bed);
      assert.equal((await ask(peer, { subscribe: OPEN })).type, 'subscribed');
      for (const [topic, reason] of REFUSED) {
        const answer = await ask(peer, { subscribe: ['news/later', topic] });
        assert.deepEqual(answer, { type: 'error', detail: { error: reason } });
      }
      assert.deepEqual(await ask(peer, { unsubscribe: ['#', '@USER@', '@CONNECTION@/+'] }), {
        type: 'unsubscribed',
        detail: { topics: OPEN.length },
      });
    });

    test(`${name}: a ticket that comes later brings what is granted, and the user`, async () => {
      const peer = await open(bed);
      const subscription = { ep: [granted('secret/1'), granted('@USER@'), '@CONNECTION@/+'], token: token('ana', ['secret/+']) };
      const { ticket: text } = await post(`${bed.url}ticket`, subscription);
      assert.deepEqual(await ask(peer, { subscribe: ['news/1'], ticket: text }), { type: 'subscribed', detail: { topics: 5 } });
      assert.equal((await publish(bed, granted('secret/1'), 'x')).receivers, 1);
      assert.equal((await publish(bed, { topic: 'x', to: ['ana'] }, 'x')).receivers, 1);
      assert.deepEqual(await ask(peer, { subscribe: [], ticket: text }), { type: 'error', detail: { error: 'Invalid ticket' } });
      assert.equal((await ask(peer, { subscribe: ['@CONNECTION@/eva'] })).type, 'subscribed', 'the stream is ana’s now');
      const of = async (user, more) =>
        (await post(`${bed.url}ticket`, { ep: [granted('secret/2')], token: token(user, ['#'], more) })).ticket;
      const strangers = {
        'Ticket of another user': await of('eva'),
        'Ticket of another session': await of('ana', { claims: { sid: '7', esn: { sub: ['#'] } } }),
      };
      for (const [error, other] of Object.entries(strangers)) {
        assert.deepEqual(await ask(peer, { subscribe: ['news/2'], ticket: other }), { type: 'error', detail: { error } });
      }
      assert.equal((await publish(bed, [granted('secret/2'), 'news/2'], 'x')).receivers, 0);
      assert.equal((await ask(peer, { subscribe: [], ticket: await of('ana') })).detail.topics, 7);
      assert.equal((await publish(bed, granted('secret/2'), 'x')).receivers, 1);
    });

    test(`${name}: a stream lasts no longer than each of the proofs that it was given`, async () => {
      const peer = await open(bed);
      const of = (topic, seconds) => post(`${bed.url}ticket`, { ep: [granted(topic)], token: token('ana', ['#'], { seconds }) });
      assert.equal((await ask(peer, { subscribe: [], ticket: (await of('secret/1', 600)).ticket })).type, 'subscribed');
      const short = await until('a ticket is signed before the proof ends', () => of('secret/2', 1));
      assert.equal((await ask(peer, { subscribe: [], ticket: short.ticket })).type, 'subscribed');
      await takeUntil(peer, 'expired');
      assert.equal((await publish(bed, [granted('secret/1'), granted('secret/2')], 'x')).receivers, 0);
    });

    test(`${name}: a ticket that comes with the last id brings what was missed`, async () => {
      const { id } = await publish(bed, 'anywhere', 'now');
      await publish(bed, granted('secret/1'), 'missed');
      await publish(bed, 'secret/1', 'open');
      const peer = name === 'lines' ? await LinePeer.open(bed.linesPort, { ep: [] }) : await WebSocketPeer.open(bed.stack.port, '/ws');
      const subscription = { ep: [granted('secret/1')], token: token('ana', ['secret/+']), last_id: id };
      const { ticket: text } = await post(`${bed.url}ticket`, subscription);
      const answer = await ask(peer, { subscribe: [], ticket: text, last_id: id });
      assert.deepEqual([answer.type, answer.detail.topics, answer.detail.recovered], ['subscribed', 1, true]);
      assert.equal((await peer.message()).e.type, 'missed');
      assert.equal((await ask(peer, { ping: 1 })).type, 'pong');
      assert.deepEqual(peer.before, []);
    });
  }
});

describe('without a word in the configuration', () => {
  let bed;
  before(async () => {
    bed = await startWithoutDatabase();
  });
  after(() => bed?.stop());

  test('every topic is open, and presence public', async () => {
    const client = await TRANSPORTS.frames(placeOf(bed), { ep: [...OPEN, ...CLOSED, ...PRESENCE] });
    await client.close();
    await bed.stack.untilTotal(0);
  });
});
