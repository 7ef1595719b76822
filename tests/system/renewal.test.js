'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { follow, request } = require('./lib/http');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { SECRET, accessToken } = require('./lib/tokens');
const { LinePeer, ask } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');
const { WebSocketPeer } = require('./lib/websocket');

const TICKETS = 'the secret of the tickets of these tests';
const PRIVATE = { topic: 'orders/4711', private: true };

const inSeconds = (seconds) => Date.now() / 1000 + seconds;
const proof = (more) =>
  ticket(claims({ iat: inSeconds(0), uid: 'ana', sid: 's', ep: ['a', PRIVATE], until: inSeconds(600), ...more }), {
    secret: TICKETS,
  });

describe('a newer proof', () => {
  let stack;
  before(async () => {
    stack = new Stack('renewal', {
      handlers: 1,
      lines: true,
      config: { ticket: { secret_file: 'ticket.secret' }, fanout: { max_alive: 1 } },
    });
    stack.writeTokens('ticket.secret', [TICKETS]);
    await stack.start();
  });
  after(() => stack?.stop());

  const alive = (self, more) =>
    stack.get('/alive', { method: 'POST', body: JSON.stringify({ connid: self.connid, secret: self.secret, ...more }) });
  /** Said on the stream itself, answered as POST /alive is. */
  const say = async (peer, more) => {
    const { type, detail } = await ask(peer, { alive: peer.connected.secret, ...more });
    return type === 'alive' ? { status: 200, json: detail } : { status: 400, json: detail };
  };
  const ways = {
    frames: {
      open: (text) => Subscriber.open(`${stack.url}/?ticket=${text}`),
      renew: (stream, more) => alive(stream.connected, more),
      close: (stream) => stream.close(),
    },
    'Server-Sent Events': {
      open: (text) => EventStream.open(`${stack.url}/sse?ticket=${text}`),
      renew: (stream, more) => alive(stream.connected, more),
      close: (stream) => stream.close(),
    },
    WebSocket: {
      open: (text) => WebSocketPeer.open(stack.port, `/ws?ticket=${text}`),
      renew: say,
      close: (peer) => peer.destroy(),
    },
    'raw TCP': { open: (text) => LinePeer.open(stack.linesPort, { ticket: text }), renew: say, close: (peer) => peer.destroy() },
  };

  for (const [name, way] of Object.entries(ways)) {
    test(`lets a stream of ${name} live as long as it does`, async () => {
      const stream = await way.open(proof({ until: inSeconds(300) }));
      assert.ok(stream.connected.timeout <= 300_000);
      const later = inSeconds(900);
      const answer = await way.renew(stream, { ticket: proof({ until: later }) });
      assert.equal(answer.status, 200, JSON.stringify(answer.json));
      const { timeout, secret } = answer.json;
      assert.ok(timeout > 300_000 && timeout <= 900_000, `${timeout}`);
      assert.equal(answer.json.until, Math.round(later * 1000));
      // More often than max_alive, and one that ends sooner takes nothing away.
      Object.assign(stream.connected, { secret });
      const again = await way.renew(stream, { ticket: proof({ until: inSeconds(100) }) });
      assert.deepEqual([again.status, again.json.until], [200, Math.round(later * 1000)]);
      await way.close(stream);
      await stack.untilTotal(0);
    });
  }

  test('is of the same user and session, used once, and covers what is private', async () => {
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof()}`);
    const used = proof();
    const wrong = [
      [proof({ uid: 'eva' }), 400, 'Ticket of another user'],
      [proof({ uid: undefined, sid: undefined, ep: ['a'] }), 400, 'Ticket of another user'],
      [proof({ sid: 'other' }), 400, 'Ticket of another session'],
      [proof({ ep: ['a'] }), 400, 'Ticket without a private topic that the stream has'],
      [proof({ ep: ['orders/4711'] }), 400, 'Ticket without a private topic that the stream has'],
      [used, 200],
      [used, 400, 'Invalid ticket'],
      ['nonsense', 400, 'Invalid ticket'],
      [7, 400, 'Invalid object'],
      [proof({ ep: [{ topic: 'orders/#', private: true }] }), 200],
    ];
    const self = { ...stream.connected };
    for (const [text, status, error] of wrong) {
      const answer = await alive(self, { ticket: text });
      assert.deepEqual([answer.status, answer.json?.error], [status, error], answer.text);
      self.secret = answer.json.secret ?? self.secret;
    }
    const nobody = await stack.subscribe(['a']);
    const answer = await alive(nobody.connected, { ticket: proof() });
    assert.deepEqual([answer.status, answer.json.error], [400, 'The stream is heard as nobody']);
    await Promise.all([stream.close(), nobody.close()]);
    await stack.untilTotal(0);
  });

  test('is of after the drop', async () => {
    const stream = await Subscriber.open(`${stack.url}/?ticket=${proof()}`);
    const old = proof({ sid: 'x' });
    const answer = await stack.post({ sid: 'x', for: 60 }, { url: `${stack.webUrl}/notify/drop` });
    assert.equal(answer.status, 200, answer.text);
    const refused = await alive(stream.connected, { ticket: old });
    assert.deepEqual([refused.status, refused.json.error], [403, 'Dropped since: a newer proof is needed']);
    await stream.close();
    await stack.untilTotal(0);
  });

  test('that is too late loses nothing, and presence says at once who has gone', async () => {
    const watcher = await stack.subscribe(['@CONNECTION@/late']);
    const stream = await until('a stream begins before its proof ends', () =>
      Subscriber.open(`${stack.url}/?ticket=${proof({ until: inSeconds(1), clid: 'late' })}`));
    const frames = await stream.takeUntil('expired');
    await stream.ended();
    const gone = (await watcher.takeUntil('disconnect')).at(-1).json;
    assert.equal(gone.e.detail.clid_instances, 0);
    const late = await alive(stream.connected, { ticket: proof() });
    assert.deepEqual([late.status, late.json.error], [400, 'Invalid data']);
    assert.equal((await stack.publish('a', 'between')).receivers, 0);
    const next = await Subscriber.open(`${stack.url}/?ticket=${proof({ last_id: frames.at(-1).json.id })}`);
    assert.equal(next.connected.recovered, true);
    await next.takeUntil('between');
    await Promise.all([next.close(), watcher.close()]);
    await stack.untilTotal(0);
  });
});

for (const name of Object.keys(servers)) {
  test(`a newer proof comes through ${name}`, async () => {
    const web = await BehindWebServer.start(name, {
      config: { token: { keys_file: 'token.keys' } },
      prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
    });
    try {
      const token = (seconds) => accessToken('ana', { seconds, claims: { sid: 's', esn: { sub: ['orders/+'] } } });
      const ep = [PRIVATE, 'a'];
      const stream = await Subscriber.open(web.url, { ep, token: token(60) });
      const { connid, secret, identity } = stream.connected;
      const asked = await request(`${web.url}ticket`, {
        method: 'POST',
        agent: false,
        body: JSON.stringify({ ep: [PRIVATE], token: token(600) }),
      });
      assert.equal(asked.status, 200, asked.text);
      const answer = await follow(`${web.url}alive`, {
        method: 'POST',
        agent: false,
        body: JSON.stringify({ connid, secret, ticket: asked.json.ticket }),
      });
      assert.equal(answer.status, 200, answer.text);
      assert.ok(answer.json.until > identity.until + 500_000, `${answer.json.until} after ${identity.until}`);
      await stream.close();
    } finally {
      await web.stop();
    }
  });
}
