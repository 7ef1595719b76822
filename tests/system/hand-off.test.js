'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { runCgi } = require('./lib/cgi');
const { request } = require('./lib/http');
const { programs } = require('./lib/paths');
const { Subscriber } = require('./lib/subscriber');

const WEB_SERVERS = { 'nginx': 'accel', 'Apache with mod_proxy_fcgi': 'redirect' };

for (const [web, mode] of Object.entries(WEB_SERVERS)) {
  describe(`handing over by ${mode}`, () => {
    let bound;
    before(async () => {
      bound = await Bound.start({ web });
      await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
    });
    after(() => bound?.stop());

    const send = (body, options) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return request(bound.url, { method: 'POST', agent: false, body: text, ...options });
    };

    test('a bound stream is as one of the daemon itself', async () => {
      const direct = await bound.stack.subscribe(['a']);
      const handed = await bound.subscribe('luis', ['CASA/NIVEL_AGUA'], { clid: 'page' });
      const essence = ({ rawHeaders }) => {
        const names = ['content-type', 'x-content-type-options', 'access-control-allow-origin', 'cache-control', 'pragma'];
        const pairs = Array.from({ length: rawHeaders.length / 2 }, (_, i) => rawHeaders.slice(2 * i, 2 * i + 2));
        return pairs.filter(([name]) => names.includes(name.toLowerCase())).sort();
      };
      assert.deepEqual(essence(handed), essence(direct));
      assert.equal(essence(handed).length, 5);
      assert.deepEqual(Object.keys(handed.connected), [...Object.keys(direct.connected), 'identity']);
      assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana' })).receivers, 1);
      assert.equal((await bound.stack.look('/connections')).page, 1);
      await Promise.all([direct.close(), handed.close()]);
      await bound.stack.untilTotal(0);
    });

    test('who comes back gets what it missed, and keeps its connection id', async () => {
      const first = await bound.subscribe('luis', ['CASA/NIVEL_AGUA']);
      const { connid, secret, id } = first.connected;
      await first.close();
      await bound.stack.untilTotal(0);
      for (const type of ['one', 'two']) {
        await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type });
      }
      await bound.post({ topic: 'CASA/NIVEL_AGUA', binded: true, whisper: connid }, { as: 'ana', type: 'psst' });
      const again = await bound.subscribe('luis', ['CASA/NIVEL_AGUA'], { last_id: id, connid, secret });
      assert.equal(again.connid, connid);
      assert.equal(again.connected.recovered, true);
      const other = await bound.subscribe('luis', ['CASA/NIVEL_AGUA'], { last_id: id, connid, secret: 'wrong&x=1' });
      assert.notEqual(other.connid, connid);
      assert.deepEqual(await bound.heard(again, other), [['one', 'two', 'psst'], ['one', 'two']]);
      await Promise.all([again.close(), other.close()]);
    });

    test('what is asked for wrongly is refused as by the daemon', async () => {
      const cases = [
        ['{', 400, 'Invalid JSON in body'],
        ['', 400, 'Invalid JSON in body'],
        ['null', 400, 'Invalid JSON in body'],
        ['7', 400, 'Event Points should be an array'],
        [{}, 400, 'Event Points should be an array'],
        [{ ep: 'a' }, 400, 'Event Points should be an array'],
        [{ ep: [null] }, 400, 'Invalid Event Point'],
        [{ ep: [{}] }, 400, 'Topic missing'],
        [{ ep: [{ topic: 7 }] }, 400, 'Topic should be a string'],
        [{ ep: [''] }, 400, 'Topic is empty'],
        [{ ep: ['a\0b'] }, 400, 'Topic has a NUL character'],
        [{ ep: ['a'], clid: 7 }, 400, 'Client id should be a string'],
        [{ ep: ['a'], clid: '@TOTAL@' }, 400, 'Reserved client id'],
        [{ ep: ['a'], last_id: 7 }, 400, 'Last id should be a string'],
        [{ ep: Array(1001).fill('a') }, 400, 'Too many Event Points'],
        [`{"ep":["${'a'.repeat(1_000_000)}"]}`, 413],
      ];
      for (const [body, status, reason] of cases) {
        const [here, there] = [
          await send(body),
          await request(`${bound.stack.url}/`, {
            method: 'POST',
            agent: false,
            body: typeof body === 'string' ? body : JSON.stringify(body),
          }),
        ];
        assert.equal(here.status, status, `${here.text} to ${JSON.stringify(body).slice(0, 100)}`);
        assert.equal(here.status, there.status);
        assert.equal(here.headers['access-control-allow-origin'], '*');
        if (reason) {
          assert.equal(here.reason, reason);
          assert.deepEqual(here.json, { error: reason });
          assert.equal(there.reason, reason);
        }
      }
      const unbound = await send({ ep: ['a', { topic: 'b', binded: true }] });
      assert.deepEqual([unbound.status, unbound.reason], [400, 'Bound topics need a bind key']);
    });

    test('so many topics that no ticket holds them go along in the body', async () => {
      for (const count of [250, 900]) {
        const ep = Array.from({ length: count }, (_, i) => `topic/${i}/of/many`);
        const stream = await Subscriber.open(bound.url, { ep, bind_key: bindKey('luis') });
        const answer = await bound.post(`topic/${count - 1}/of/many`);
        assert.equal(answer.json.receivers, 1);
        await stream.close();
      }
    });

    test('a preflight is answered, never redirected', async () => {
      const answer = await request(bound.url, {
        method: 'OPTIONS',
        agent: false,
        headers: {
          'Origin': 'https://shop.example',
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type, last-event-id',
        },
      });
      assert.ok([200, 204].includes(answer.status));
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      const allowed = answer.headers['access-control-allow-headers'].toLowerCase();
      for (const header of ['authorization', 'content-type', 'last-event-id', 'x-requested-with']) {
        assert.ok(allowed.includes(header), header);
      }
    });

    test('other methods are refused', async () => {
      for (const method of ['PUT', 'DELETE', 'PATCH']) {
        const answer = await request(bound.url, { method, agent: false });
        assert.deepEqual([answer.status, answer.json?.error], [400, 'Subscribe with POST'], method);
      }
    });
  });
}

describe('the order of docs/rights.md in which a ticket secret is exchanged', () => {
  let bound;
  before(async () => {
    bound = await Bound.start();
    await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
  });
  after(() => bound?.stop());
  const OLD = 'the secret of the tickets of these tests';
  const NEW = 'the secret that takes the place of the old one';

  const startedWorkers = (output) => output.match(/worker started/g)?.length ?? 0;
  let workers;

  /** Both read their files again, in either order; subscribers come in between. */
  async function reload(first, second) {
    workers ??= startedWorkers(bound.web.handler.output());
    for (const program of [first, second]) {
      const before = program.output().length;
      const since = () => program.output().slice(before);
      program.signal('SIGHUP');
      await program.until('it has read its files', () => program === bound.stack.daemon
        ? /configuration reloaded/.test(since()) : startedWorkers(since()) >= workers);
      for (let i = 0; i < 5; i++) {
        await (await bound.subscribe('luis', ['CASA/NIVEL_AGUA'])).close();
      }
    }
  }

  for (const [order, turn] of [['the daemon first', (pair) => pair], ['esn-subscribe first', (pair) => pair.reverse()]]) {
    test(`refuses nobody, ${order}`, async () => {
      const pair = () => turn([bound.stack.daemon, bound.web.handler]);
      for (const secrets of [[OLD, NEW], [NEW, OLD], [NEW], [NEW, OLD], [OLD, NEW], [OLD]]) {
        bound.stack.writeTokens('ticket.secret', secrets);
        await reload(...pair());
      }
    });
  }
});

describe('a bind key that is brought to the daemon', () => {
  let bound;
  before(async () => {
    bound = await Bound.start();
  });
  after(() => bound?.stop());
  const bring = () =>
    request(`${bound.stack.url}/`, { method: 'POST', agent: false, body: JSON.stringify({ bind_key: 'k', ep: ['a'] }) });

  test('is refused, or sent to the subscribe URL', async () => {
    assert.equal((await bring()).status, 400);
    bound.stack.writeConfig({ subscribe: { url: bound.url } });
    bound.stack.daemon.signal('SIGHUP');
    await bound.stack.daemon.untilLog(/configuration/);
    let answer;
    await bound.stack.daemon.until('the daemon has read it', async () => {
      answer = await bring();
      return answer.status === 307;
    });
    assert.equal(answer.headers.location, bound.url);
  });
});

describe('esn-subscribe as plain CGI', () => {
  let bound;
  before(async () => {
    bound = await Bound.start();
  });
  after(() => bound?.stop());

  const run = (body, { mode = 'accel', ...options } = {}) => {
    bound.stack.writeConfig({ handoff: { mode, url: 'https://stream.example/live/' } });
    return runCgi(bound.stack.file, {
      program: programs.subscribe,
      body: JSON.stringify(body),
      env: { REQUEST_URI: '/notify/', ...options.env },
      ...options,
    });
  };
  const past = { connid: 17, secret: 'x y&z' };
  const query = /^\?ticket=[A-Za-z0-9_.-]+&connid=17&secret=x%20y%26z$/;

  test('by each way of handing over', async () => {
    const accel = await run({ ep: ['a'], ...past });
    assert.deepEqual([accel.status, accel.code], [200, 0], accel.stderr);
    assert.ok(accel.headers['x-accel-redirect'].startsWith('/_fanout/?'));
    assert.match(accel.headers['x-accel-redirect'].slice('/_fanout/'.length), query);

    const local = await run({ ep: ['a'], ...past }, { mode: 'local' });
    assert.deepEqual(Object.keys(local.headers), ['location'], 'a local redirect has nothing else');
    assert.match(local.headers.location.slice('/_fanout/'.length), query);
    assert.equal(local.text, '');

    const redirect = await run({ ep: ['a'], ...past }, { mode: 'redirect' });
    assert.equal(redirect.status, 303);
    assert.match(redirect.headers.location.slice('https://stream.example/live/'.length), query);
    assert.equal(redirect.headers['access-control-allow-origin'], '*');

    // An EventSource comes back to where it was sent: without a ticket, which would be used up, where none is needed.
    const asked = { REQUEST_METHOD: 'GET', REQUEST_URI: '/notify/sse', QUERY_STRING: 'ep=a&ep=b/%23' };
    const open = await run('', { mode: 'redirect', env: asked });
    assert.deepEqual([open.status, open.headers.location], [307, 'https://stream.example/live/sse?ep=a&ep=b/%23']);
    const proven = await run('', { mode: 'redirect', env: { ...asked, QUERY_STRING: `ep=a&bind_key=${encodeURIComponent(bindKey('luis'))}` } });
    assert.equal(proven.status, 303);
    assert.match(proven.headers.location, /^https:\/\/stream\.example\/live\/sse\?ticket=/);

    const json = await run({ ep: ['a'] }, { mode: 'json' });
    assert.equal(json.status, 200);
    assert.equal(json.json.url, `https://stream.example/live/?ticket=${json.json.ticket}`);
    const stream = await Subscriber.open(`${bound.stack.url}/?ticket=${json.json.ticket}`, []);
    await stream.close();
  });

  test('renewals are sent on by redirect, and otherwise not found', async () => {
    const env = { REQUEST_URI: '/notify/alive?x=1' };
    const redirect = await run({}, { mode: 'redirect', env });
    assert.deepEqual([redirect.status, redirect.headers.location], [307, 'https://stream.example/live/alive']);
    const accel = await run({}, { env });
    assert.equal(accel.status, 404);
    assert.match(accel.json.detail, /esn-fanout/);
  });

  test('a program that is not configured says so to the client and in the log', async () => {
    const none = await runCgi('/nowhere/es-web-notify.conf', { program: programs.subscribe, body: '{"ep":[]}' });
    assert.equal(none.status, 500);
    assert.equal(none.json.error, 'Server not configured');
    assert.match(none.stderr, /nowhere/);
    bound.stack.writeConfig({ ticket: { secret_file: '' } });
    const unsigned = await runCgi(bound.stack.file, { program: programs.subscribe, body: '{"ep":[]}' });
    assert.equal(unsigned.status, 500);
    assert.match(unsigned.stderr, /\[ticket\] secret_file/);
  });
});
