'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { Subscriber } = require('./lib/subscriber');
const { SECRET, accessToken } = require('./lib/tokens');
const { WebSocketPeer } = require('./lib/websocket');
const { until } = require('./lib/wait');

const BOUND = [{ topic: 'house/lamp', bound: true }];

for (const name of ['nginx', 'Apache with mod_fcgid', 'Apache with mod_proxy_fcgi']) {
  describe(`access tokens behind ${name}`, () => {
    let bound;
    let url;
    before(async () => {
      bound = await Bound.start({
        web: name,
        config: {
          fanout: { keep_alive: '1s' }, // by which Apache notices that a client has left
          token: { keys_file: 'token.keys', issuer: 'shop', audience: 'notify' },
        },
        prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
      });
      ({ url } = bound);
      await bound.add('house/lamp', { owner: 'ana', sub: ['luis'] });
    });
    after(() => bound?.stop());

    const token = (user, { claims, ...more } = {}) =>
      accessToken(user, { claims: { iss: 'shop', aud: ['other', 'notify'], ...claims }, ...more });
    const publish = (type) => bound.publish('house/lamp', { as: 'ana', type });
    const subscribe = (body, headers) =>
      request(url, { method: 'POST', agent: false, headers, body: JSON.stringify({ ep: BOUND, ...body }) });

    test('say who it is, in body, query and header', async () => {
      const luis = token('luis');
      const ways = [
        () => Subscriber.open(url, { ep: BOUND, token: luis }),
        () => Subscriber.open(url, { ep: BOUND }, { headers: { Authorization: `Bearer ${luis}` } }),
      ];
      for (const come of ways) {
        const subscriber = await come();
        assert.equal(subscriber.connected.identity.uid, 'luis');
        assert.ok(subscriber.connected.identity.until > Date.now(), 'the end of the token');
        assert.equal((await publish('heard')).receivers, 1);
        await subscriber.takeUntil('heard');
        await subscriber.close();
        await bound.stack.untilTotal(0);
      }
    });

    test('of nobody who may hear, hear nothing', async () => {
      const stranger = await Subscriber.open(url, { ep: BOUND, token: token('eva') });
      assert.equal((await publish('not for eva')).receivers, 0);
      await stranger.close();
      const nobody = await Subscriber.open(url, { ep: BOUND, token: token(undefined) });
      assert.equal(nobody.connected.identity.uid, '[][][]');
      assert.equal((await publish('not for nobody')).receivers, 0);
      await nobody.close();
      await bound.stack.untilTotal(0);
    });

    test('that are not right are refused alike', async () => {
      const wrong = [
        token('luis', { key: `${SECRET}!` }),
        token('luis', { seconds: -10 }),
        token('luis', { claims: { nbf: Date.now() / 1000 + 60 } }),
        token('luis', { claims: { iss: 'other' } }),
        token('luis', { claims: { aud: 'other' } }),
        token('*'),
        'not a token',
      ];
      for (const one of wrong) {
        for (const answer of [
          await subscribe({ token: one }),
          await subscribe({}, { Authorization: `Bearer ${one}` }),
        ]) {
          assert.deepEqual([answer.status, answer.json?.error], [400, 'Invalid access token'], one);
        }
      }
      const number = await subscribe({ token: 7 });
      assert.deepEqual([number.status, number.json.error], [400, 'Invalid access token']);
    });

    test('end their streams when they end, and a fresh one goes on where it was', async () => {
      // Short, but as long as this machine takes for a stream and a post.
      let seconds = 1;
      const first = await until('a stream has an event before its token ends', async () => {
        seconds *= 1.5;
        const stream = await Subscriber.open(url, { ep: BOUND, token: token('luis', { seconds }) });
        return (await publish('before')).receivers === 1 && stream;
      });
      assert.ok(first.connected.timeout <= seconds * 1000, `${first.connected.timeout}`);
      const frames = await first.takeUntil('expired');
      await first.over;
      assert.ok(first.endedCleanly);
      assert.equal((await publish('between')).receivers, 0);
      const last = frames.findLast((frame) => frame.json.id).json.id;
      const second = await Subscriber.open(url, { ep: BOUND, token: token('luis'), last_id: last });
      assert.deepEqual(
        (await second.takeUntil('between')).map((frame) => frame.json.e.type).filter((type) => type === 'before'),
        [],
      );
      await second.close();
      await bound.stack.untilTotal(0);
    });

    if (name === 'nginx') {
      test('come in the query of a WebSocket', async () => {
        const query = `ep=plain&bound=house/lamp&token=${token('luis')}`;
        const peer = await WebSocketPeer.open(bound.web.port, `/notify/ws?${query}`);
        assert.equal((await publish('by websocket')).receivers, 1);
        assert.equal((await peer.message()).e.type, 'by websocket');
        peer.destroy();
        await bound.stack.untilTotal(0);
      });
    }
  });
}
