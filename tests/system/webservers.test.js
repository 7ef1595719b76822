'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

for (const name of Object.keys(servers)) {
  describe(`behind ${name}, as configured in deploy/`, () => {
    let web;
    let stack;
    let url;
    before(async () => {
      web = await BehindWebServer.start(name, { config: { fanout: { keep_alive: '1s' } } });
      ({ stack, url } = web);
    });
    after(() => web?.stop());

    const event = (detail) => ({ ep: ['a'], e: { type: 'x', detail } });
    const post = (body, options) => stack.post(body, { url: `${url}event`, ...options });

    test('events arrive at once on a stream that stays open', async () => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => Subscriber.open(url, ['a'])));
      for (let i = 0; i < 20; i++) {
        const answer = await post(event(`${i} é '`));
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.receivers, clients.length);
        for (const client of clients) {
          const frames = await client.takeUntil('x');
          assert.equal(frames.at(-1).json.e.detail, `${i} é '`);
        }
      }
      await clients[0].until('a keep-alive', () => clients[0].keepAlives > 0);
      await Promise.all(clients.map((client) => client.close()));
      await stack.untilTotal(0);
    });

    test('large events pass', async () => {
      const client = await Subscriber.open(url, ['a']);
      const detail = 'x'.repeat(900_000);
      assert.equal((await post(event(detail))).status, 200);
      const frames = await client.takeUntil('x');
      assert.equal(frames.at(-1).json.e.detail === detail, true);
      await client.close();
      await stack.untilTotal(0);
    });

    test('the answers are those of the programs', async () => {
      const wrong = await post(event(1), { token: 'wrong' });
      assert.equal(wrong.status, 404);
      const bearer = await post(event(1), {
        token: null,
        headers: { Authorization: `Bearer ${stack.publishToken}` },
      });
      assert.equal(bearer.status, 200, bearer.text);
      const bad = await post('{"ep":[null],"e":{"type":"x"}}');
      assert.deepEqual([bad.status, bad.reason, bad.json.error], [400, "Event Point can't be null", "Event Point can't be null"]);
      const large = await post(event('x'.repeat(1_200_000)));
      assert.equal(large.status, 413);
      const refused = await request(url, { method: 'POST', body: '{"ep":7}', agent: false });
      assert.equal(refused.status, 400);
      assert.equal(refused.reason, 'Event Points should be an array');
      for (const answer of [wrong, bearer, bad, large, refused]) {
        assert.equal(answer.headers['access-control-allow-origin'], '*', `${answer.status}`);
        assert.notEqual(answer.json, undefined, answer.text);
      }
      for (const target of [url, `${url}event`, `${url}alive`]) {
        const options = await request(target, { method: 'OPTIONS', agent: false });
        assert.ok([200, 204].includes(options.status), `${target} ${options.status}`);
        assert.equal(options.headers['access-control-allow-origin'], '*');
      }
    });

    test('health, metrics and the window are reached, metrics by who may alone', async () => {
      const get = (target, headers) => request(`${url}${target}`, { agent: false, headers });
      const expected = [['healthz', 200], ['readyz', 200], ['metrics', 401], ['state', 401], ['window', 200], ['window/window.js', 200], ['window/none', 404]];
      for (const [target, status] of expected) {
        assert.equal((await get(target)).status, status, target);
      }
      const metrics = await get('metrics', { Authorization: `Bearer ${stack.adminToken}` });
      assert.match(metrics.text, /^# HELP esn_build_info /);
      assert.match((await get('window')).headers['content-security-policy'], /^default-src 'none'/);
      const named = { metrics: { addresses: '127.0.0.1' }, handoff: { mode: web.mode, url: `${stack.url}/` } };
      stack.writeConfig(named);
      stack.daemon.signal('SIGHUP');
      await until('an address that is named reads them', async () => (await get('metrics')).status === 200);
      const lie = await get('metrics', { 'X-Forwarded-For': '203.0.113.7' });
      assert.equal(lie.status, 200, 'what a client says of itself counts for nothing, and so not against it');
      stack.writeConfig({ ...named, metrics: { addresses: '203.0.113.7' } });
      stack.daemon.signal('SIGHUP');
      await until('the list is another one', async () => (await get('metrics')).status === 401);
      assert.equal((await get('metrics', { 'X-Forwarded-For': '203.0.113.7' })).status, 401, 'nor for it');
    });

    test('a stream is renewed, and ends cleanly with the daemon', async () => {
      const client = await Subscriber.open(url, ['a']);
      const { connid, secret } = client;
      const answer = await request(`${url}alive`, {
        method: 'POST',
        body: JSON.stringify({ connid, secret }),
        agent: false,
      });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(await stack.daemon.end(), 0);
      await client.ended();
      assert.equal(client.endedCleanly, true);
      await stack.endTaking();
      const away = await post(event(1));
      assert.equal(away.status, 503);
      assert.match(away.headers['retry-after'], /^\d+$/);
      await stack.startTaking();
      await stack.publishInTheEnd('a', 'back');
    });
  });
}
