'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { signedHeaders } = require('./lib/signing');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const SECRET = 'the secret of the tickets of these tests';
const SHOP = 'the secret of the shop, 0123456789';
const SIGNER = 'the secret of who signs, 0123456789';
const REFUSED = 'Dropped since: a newer proof is needed';

const publishers = `[shop]
secret_file = shop.key
topics = #
may = whisper
[signer]
secret_file = signer.key
topics = #
may = drop
signed = yes
`;

async function startStack(config = {}) {
  const stack = new Stack('drop', {
    handlers: 1,
    lines: true,
    config: {
      ...config,
      fanout: { poll_gap: '1m', ...config.fanout },
      publish: { publishers_file: 'publishers.conf' },
      ticket: { secret_file: 'ticket.secret' },
    },
  });
  stack.writeTokens('ticket.secret', [SECRET]);
  stack.writeTokens('shop.key', [SHOP]);
  stack.writeTokens('signer.key', [SIGNER]);
  fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), publishers);
  await stack.start();
  stack.dropUrl = `${stack.webUrl}/notify/drop`;
  return stack;
}

const ask = (stack, body, options) => stack.post(body, { url: stack.dropUrl, ...options });

/** What is signed in the same millisecond as an order counts as before it. */
const nextMillisecond = () => until('the clock goes on', ((now) => () => Date.now() > now)(Date.now()));

/** An order that has to be carried out; gives how many streams it ended. */
async function drop(stack, body) {
  const answer = await ask(stack, body);
  assert.equal(answer.status, 200, answer.text);
  await nextMillisecond();
  return answer.json.dropped;
}

const dated = (more) => claims({ iat: Date.now() / 1000, uid: 'ana', ...more });
const proof = (more) => ticket(dated(more), { secret: SECRET });
const comeWith = (stack, text, more = '') => request(`${stack.url}/poll?wait=0&ticket=${text}${more}`, { agent: false });

/** A way in: how a stream begins with a ticket, and what its end is like. */
const WAYS = {
  frames: {
    open: (stack, text) => Subscriber.open(`${stack.url}/?ticket=${text}`),
    async ended(stream) {
      const frames = await stream.takeUntil('dropped');
      await stream.ended();
      assert.ok(stream.endedCleanly);
      assert.equal(stream.frames.length, 0, 'it is the last frame');
      return frames.at(-1).json;
    },
  },
  'Server-Sent Events': {
    open: (stack, text) => EventStream.open(`${stack.url}/sse?ticket=${text}`),
    async ended(stream) {
      await stream.until('its end', () => stream.isOver);
      assert.ok(stream.endedCleanly);
      const last = stream.events.at(-1);
      assert.equal(last.type, 'dropped');
      return last.json;
    },
  },
  'long-poll': {
    async open(stack, text) {
      const answer = request(`${stack.url}/poll?ticket=${text}`, { agent: false });
      await until('the poll waits', async () => (await stack.look('/connections'))['@TOTAL@'] === 1);
      return { answer };
    },
    async ended({ answer }) {
      const { status, json } = await answer;
      assert.equal(status, 200);
      return json.events.at(-1);
    },
  },
  WebSocket: {
    open: (stack, text) => WebSocketPeer.open(stack.port, `/ws?ticket=${text}`),
    async ended(peer) {
      const frames = await takeUntil(peer, 'dropped');
      assert.deepEqual(await peer.closing(), { code: 4001, reason: 'Dropped' });
      return frames.at(-1);
    },
  },
  'raw TCP': {
    open: (stack, text) => LinePeer.open(stack.linesPort, { ticket: text }),
    async ended(peer) {
      const frames = await takeUntil(peer, 'dropped');
      await peer.closing();
      return frames.at(-1);
    },
  },
};

describe('POST /drop', () => {
  let stack;
  before(async () => {
    stack = await startStack();
  });
  after(() => stack?.stop());

  for (const [name, way] of Object.entries(WAYS)) {
    test(`ends a stream of ${name} with dropped`, async () => {
      const before = (await stack.look('/state')).streams_dropped;
      const stream = await way.open(stack, proof({ uid: 'way', jti: name }));
      assert.equal(await drop(stack, { uid: 'way' }), 1);
      const last = await way.ended(stream);
      assert.deepEqual([last.ep.emitted, last.e.type], ['@SERVER@', 'dropped']);
      await stack.untilTotal(0);
      const state = await stack.look('/state');
      assert.equal(state.streams_dropped, before + 1);
      assert.ok(state.closed.dropped >= 0);
    });
  }

  test('reaches the user and session that it names, and nobody else', async () => {
    const open = (more) => Subscriber.open(`${stack.url}/?ticket=${proof(more)}`);
    const streams = {
      'ana at home': await open({ sid: 'home' }),
      'ana at work': await open({ sid: 'work' }),
      'another at work': await open({ uid: 'eva', sid: 'work' }),
      'a number': await open({ uid: 7 }),
    };
    const nobody = await stack.subscribe({ ep: ['a'], clid: 'ana' });
    assert.equal(await drop(stack, { sid: 'work', for: 0 }), 2);
    assert.equal(await drop(stack, { uid: 7, for: 0 }), 1);
    assert.equal(await drop(stack, { uid: 'nobody', for: 0 }), 0);
    for (const name of ['ana at work', 'another at work', 'a number']) {
      await WAYS.frames.ended(streams[name]);
    }
    const [handler] = stack.handlers;
    await handler.untilLog(/streams dropped by=\S+ kind=sid whose=- streams=2/);
    await handler.untilLog(/streams dropped by=\S+ kind=uid whose=7 streams=1/);
    await stack.drain('a', streams['ana at home'], nobody);
    assert.equal(await drop(stack, { uid: 'ana', for: 0 }), 1);
    await WAYS.frames.ended(streams['ana at home']);
    await nobody.close();
    await stack.untilTotal(0);
  });

  test('reaches one stream, and those of a client id, between two polls too', async () => {
    const one = await stack.subscribe({ ep: ['a'], clid: 'page' });
    const other = await stack.subscribe({ ep: ['a'], clid: 'page' });
    const third = await stack.subscribe({ ep: ['a'], clid: 'third' });
    assert.equal(await drop(stack, { connid: one.connid }), 1);
    assert.equal(await drop(stack, { connid: one.connid }), 0);
    await WAYS.frames.ended(one);
    const poll = (body) => request(`${stack.url}/poll`, { method: 'POST', agent: false, body: JSON.stringify(body) });
    const { connid, secret } = (await poll({ ep: ['a'], clid: 'page', wait: 0 })).json.events[0].e.detail;
    await poll({ ep: ['a'], clid: 'page', wait: 0, connid, secret });
    await stack.untilTotal(3);
    const watcher = await stack.subscribe({ ep: ['@CONNECTION@/page'] });
    assert.equal(await drop(stack, { clid: 'page' }), 2);
    assert.equal((await watcher.takeUntil('disconnect')).at(-1).json.e.detail.clid_instances, 0, 'at once');
    await WAYS.frames.ended(other);
    const again = (await poll({ ep: ['a'], clid: 'page', wait: 0, connid, secret })).json.events[0].e.detail;
    assert.notEqual(again.connid, connid, 'nobody comes back as that one');
    await Promise.all([third.close(), watcher.close()]);
    await stack.untilTotal(0);
  });

  test('refuses tickets of before, and takes those of after', async () => {
    const before = [proof({ uid: 'luis', sid: 's1' }), proof({ uid: 'mia', sid: 's1' }), proof({ uid: 'luis', sid: 's2' })];
    const older = dated({ uid: 'mia', sid: 's2' });
    await drop(stack, { uid: 'luis', for: 60 });
    await drop(stack, { sid: 's1', for: 60 });
    for (const text of before) {
      const answer = await comeWith(stack, text);
      assert.deepEqual([answer.status, answer.json.error], [403, REFUSED]);
      assert.equal(answer.reason, REFUSED);
    }
    const line = await LinePeer.connect(stack.linesPort);
    await line.say({ ticket: proof({ uid: 'luis', iat: older.iat }) });
    assert.deepEqual(await line.message(), { error: REFUSED });
    await line.closing();
    assert.equal((await comeWith(stack, ticket(older, { secret: SECRET }))).status, 200, 'neither the user nor the session');
    assert.equal((await comeWith(stack, proof({ uid: 'luis', sid: 's1' }))).status, 200, 'signed after');
    const old = proof({ uid: 'luis', since: older.iat });
    assert.equal((await comeWith(stack, old)).status, 403, 'signed after, for a proof of before');
    const undated = proof({ uid: 'luis', iat: undefined, exp: (Date.now() + 59_999) / 1000 }); // not of before the start
    assert.equal((await comeWith(stack, undated)).status, 403, 'it does not say when');
  });

  test('leaves nothing to come back to', async () => {
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof({ uid: 'gone' })}`);
    const { connid, secret } = stream;
    await stream.close();
    await stack.untilTotal(0);
    assert.equal(await drop(stack, { uid: 'gone', for: 0 }), 0);
    const self = `&connid=${connid}&secret=${secret}`;
    const [first] = (await comeWith(stack, proof({ uid: 'gone' }), self)).json.events;
    assert.notEqual(first.e.detail.connid, connid);
  });

  test('says what is wrong', async () => {
    const wrong = {
      '{': 'Invalid JSON in body',
      '[]': 'Invalid object',
      '{}': 'One of uid, sid, connid and clid is missing',
      '{"uid": null}': 'One of uid, sid, connid and clid is missing',
      '{"uid": "ana", "sid": "x"}': 'Only one of uid, sid, connid and clid',
      '{"uid": ""}': 'uid should be a user id',
      '{"uid": "*"}': 'uid should be a user id',
      '{"uid": 1.5}': 'uid should be a user id',
      '{"sid": 7}': 'sid should be a text of 1 to 255 bytes',
      [`{"sid": "${'s'.repeat(256)}"}`]: 'sid should be a text of 1 to 255 bytes',
      '{"sid": "a\\u0000b"}': 'sid should be a text of 1 to 255 bytes',
      '{"connid": "7"}': 'connid should be a number',
      '{"connid": 0}': 'connid should be a number',
      '{"clid": ""}': 'clid should be a client id',
      '{"uid": "ana", "for": -1}': 'for should be a number of seconds, up to 2592000',
      '{"uid": "ana", "for": "60"}': 'for should be a number of seconds, up to 2592000',
      '{"uid": "ana", "for": 2592001}': 'for should be a number of seconds, up to 2592000',
      '{"connid": 7, "for": 60}': 'for goes with uid and sid alone',
      '{"uid": "ana", "until": 60}': 'Invalid object',
    };
    for (const [body, error] of Object.entries(wrong)) {
      const answer = await ask(stack, body);
      assert.deepEqual([answer.status, answer.json?.error], [400, error], body);
    }
    assert.equal((await ask(stack, { uid: 'ana', until: 60 })).json.detail, 'unknown member: until');
    assert.equal((await ask(stack, undefined, { method: 'PUT' })).status, 405);
  });

  test('is for publishers that may', async () => {
    const body = JSON.stringify({ uid: 'ana' });
    const bare = (secret) => ask(stack, body, { token: null, headers: { Authorization: `Bearer ${secret}` } });
    const shop = await bare(SHOP);
    assert.deepEqual([shop.status, shop.json.error], [403, 'Not yours']);
    assert.equal((await bare('nobody knows this one')).status, 404);
    assert.equal((await bare(SIGNER)).status, 404, 'it signs');
    const headers = signedHeaders({ url: stack.dropUrl, body, key: SIGNER, keyid: 'signer' });
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof()}`);
    const first = await ask(stack, body, { token: null, headers });
    assert.deepEqual([first.status, first.json], [200, { dropped: 1 }]);
    await WAYS.frames.ended(stream);
    await nextMillisecond();
    const later = await Subscriber.open(`${stack.url}/?ticket=${proof()}`);
    const again = await ask(stack, body, { token: null, headers });
    assert.deepEqual([again.status, again.json], [200, { dropped: 1 }], 'the same order is carried out once');
    await stack.drain('a', later);
    await later.close();
  });
});

test('more drops than are remembered are refused, and nothing is dropped', async () => {
  const stack = await startStack({ fanout: { max_revocations: 2 } });
  try {
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof({ uid: 'third' })}`);
    await drop(stack, { uid: 'first' });
    await drop(stack, { sid: 'second' });
    await drop(stack, { uid: 'first', for: 90 });
    const full = await ask(stack, { uid: 'third' });
    assert.deepEqual([full.status, full.json.error], [503, 'Too many drops are remembered']);
    assert.equal(full.headers['retry-after'], '1');
    await stack.drain('a', stream);
    assert.equal((await stack.look('/state')).revocations, 2);
    assert.equal(await drop(stack, { uid: 'third', for: 0 }), 1, 'one that is not remembered needs no room');
    await WAYS.frames.ended(stream);
  } finally {
    await stack.stop();
  }
});

test('the same signed order is carried out once, with the log on disk too', async () => {
  const stack = await startStack({ log: { path: 'log', sync: 'always' } });
  try {
    const body = JSON.stringify({ uid: 'ana', for: 600 });
    const headers = signedHeaders({ url: stack.dropUrl, body, key: SIGNER, keyid: 'signer' });
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof()}`);
    for (const time of ['first', 'again']) {
      const answer = await ask(stack, body, { token: null, headers });
      assert.deepEqual([answer.status, answer.json], [200, { dropped: 1 }], time);
    }
    await WAYS.frames.ended(stream);
  } finally {
    await stack.stop();
  }
});

for (const sync of ['always', 'interval', 'never']) {
  test(`drops outlive a daemon that is killed, with the log on disk (sync = ${sync})`, async () => {
    const stack = await startStack({ log: { path: 'log', sync } });
    try {
      const since = Date.now() / 1000;
      const stream = await Subscriber.open(`${stack.url}/?ticket=${proof({ uid: 'ana' })}`);
      const left = await Subscriber.open(`${stack.url}/?ticket=${proof({ uid: 'eva', sid: 'x' })}`);
      assert.equal(await drop(stack, { uid: 'ana', for: 600 }), 1);
      await WAYS.frames.ended(stream);
      assert.equal(await drop(stack, { sid: 'x', for: 600 }), 1);
      await WAYS.frames.ended(left);
      await stack.daemon.end('SIGKILL');
      await stack.startDaemon();
      const fresh = (more) => until('a ticket of after the start counts', async () => {
        const answer = await comeWith(stack, proof(more));
        return answer.status !== 503 && answer;
      });
      assert.equal((await fresh({ uid: 'ana', since })).status, 403, 'a proof of before');
      assert.equal((await fresh({ uid: 'luis', sid: 'x', since })).status, 403);
      assert.equal((await fresh({ uid: 'ana' })).status, 200, 'and one of after');
      assert.equal((await stack.look('/state')).revocations, 2);
    } finally {
      await stack.stop();
    }
  });
}
