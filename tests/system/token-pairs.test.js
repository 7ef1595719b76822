'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { runCgi } = require('./lib/cgi');
const { request } = require('./lib/http');
const { newFolder, programs } = require('./lib/paths');
const { Redis } = require('./lib/redis');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');

const TOPIC = { topic: 'house/lamp', bound: true };
const SIGNING = 'the secret that signs the tokens of these tests';
const newProof = () => crypto.randomBytes(16).toString('hex');

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** The desk behind a web server. */
class Desk {
  static async start({ web, store, key = SIGNING, token = {}, more = {} }) {
    const desk = new Desk();
    desk.folder = newFolder('desk');
    try {
      desk.redis = store === 'redis' ? await Redis.start(desk.folder) : undefined;
      desk.bound = await Bound.start({
        web,
        config: {
          fanout: { keep_alive: '1s' },
          token: { sign_file: 'sign.key', store, store_file: 'tokens.db', issuer: 'shop', audience: 'notify', ...token },
          ...more,
          ...(desk.redis ? { redis: { url: desk.redis.url, connect_time: '2s', time_limit: '2s' } } : {}),
        },
        prepare: (stack) => stack.writeTokens('sign.key', [key]),
      });
      await desk.bound.add('house/lamp', { owner: 'ana', sub: ['luis'] });
    } catch (error) {
      await desk.stop().catch(() => {});
      throw error;
    }
    return desk;
  }

  ask(body, { method = 'POST', headers = {} } = {}) {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    return request(`${this.bound.url}token`, { method, agent: false, headers, body: text });
  }

  async pair(user = 'luis') {
    const answer = await this.ask({ bind_key: bindKey(user) });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  async refresh(refresh_token, more = {}) {
    const answer = await this.ask({ refresh_token, ...more });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  subscribe(pair) {
    return Subscriber.open(this.bound.url, { ep: [TOPIC], token: pair.access_token });
  }

  async stop() {
    await this.bound?.stop();
    await this.redis?.stop();
    if (!process.env.ESN_TEST_LOGS) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

const INVALID = { error: 'invalid_grant' };

for (const [web, store] of [
  ['nginx', 'sqlite'],
  ['Apache with mod_fcgid', 'redis'],
]) {
  describe(`tokens behind ${web}, kept in ${store}`, () => {
    let desk;
    before(async () => {
      desk = await Desk.start({ web, store });
    });
    afterEach(() => desk.bound.stack.untilTotal(0));
    after(() => desk?.stop());

    test('are given for a bind key, and say who it is', async () => {
      const answer = await desk.ask({ bind_key: bindKey('luis') });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['cache-control'], 'no-store');
      const { access_token, refresh_token, ...rest } = answer.json;
      assert.equal(rest.token_type, 'Bearer');
      assert.ok(rest.expires_in > 290 && rest.expires_in <= 300, `${rest.expires_in}`);
      assert.ok(rest.refresh_expires_in > 86400 && rest.refresh_expires_in <= 30 * 86400);
      assert.deepEqual(Object.keys(rest).sort(), ['expires_in', 'refresh_expires_in', 'token_type']);
      const { sub, iss, aud, sid, iat, exp } = claimsOf(access_token);
      assert.deepEqual([sub, iss, aud, exp - iat], ['luis', 'shop', 'notify', 300]);
      assert.ok(refresh_token.startsWith(sid));
      const stream = await desk.subscribe(answer.json);
      assert.equal(stream.connected.identity.uid, 'luis');
      await stream.close();
      await desk.bound.stack.untilTotal(0);
    });

    test('are refused for what is no proof', async () => {
      const { refresh_token } = await desk.pair();
      const [family, number, code] = refresh_token.split('.');
      const wrong = [
        { bind_key: 'nonsense' },
        { bind_key: bindKey('luis', { age: 100_000 }) },
        { refresh_token: '' },
        { refresh_token: 'x'.repeat(1000) },
        { refresh_token: `${family}.${number}.${code.replace(/.$/, (c) => (c === '0' ? '1' : '0'))}` },
        { refresh_token: `${family}.7.${code}` },
        { refresh_token: `${family.replace(/^./, (c) => (c === '0' ? '1' : '0'))}.${number}.${code}` },
        { refresh_token: `${refresh_token} ` },
      ];
      for (const body of wrong) {
        const answer = await desk.ask(body);
        assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_grant'], JSON.stringify(body).slice(0, 200));
      }
      for (const body of ['', '[]', '{', {}, { bind_key: 7 }, { refresh_token: [] }, { refresh_token, proof: 'short' }, { refresh_token, bind_key: bindKey('luis') }]) {
        const answer = await desk.ask(body);
        assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_request'], JSON.stringify(body));
      }
      assert.equal((await desk.ask(undefined, { method: 'PUT' })).status, 405);
      await desk.refresh(refresh_token); // none of it has ended the family
    });

    test('are asked for as CGI with the length of the body, and given up without one', async () => {
      const file = desk.bound.stack.file;
      const ask = (method, CONTENT_LENGTH, body = '') =>
        runCgi(file, { program: programs.subscribe, method, body, env: { REQUEST_URI: '/notify/token', CONTENT_LENGTH } });
      const { status, reason } = await ask('POST', '', JSON.stringify({ bind_key: bindKey('luis') }));
      assert.deepEqual([status, reason], [411, 'Length Required']);
      const none = await ask('DELETE', '');
      assert.deepEqual([none.status, none.json.error], [400, 'invalid_request'], none.text);
    });

    test('are exchanged one after the other', async () => {
      let pair = await desk.pair();
      const seen = new Set([pair.refresh_token]);
      const { sid } = claimsOf(pair.access_token);
      for (let i = 0; i < 5; i++) {
        pair = await desk.refresh(pair.refresh_token);
        assert.ok(!seen.has(pair.refresh_token));
        seen.add(pair.refresh_token);
        assert.equal(claimsOf(pair.access_token).sid, sid);
        assert.equal(claimsOf(pair.access_token).sub, 'luis');
      }
    });

    test('that are used a second time end the whole family, and its streams', async () => {
      const first = await desk.pair();
      const other = await desk.pair();
      const [stream, stays] = [await desk.subscribe(first), await desk.subscribe(other)];
      const second = await desk.refresh(first.refresh_token);
      const third = await desk.refresh(second.refresh_token);
      const answer = await desk.ask({ refresh_token: first.refresh_token });
      assert.deepEqual([answer.status, answer.json], [400, INVALID]);
      await stream.takeUntil('dropped');
      await stream.over;
      for (const pair of [third, second, first]) {
        const late = await desk.ask({ refresh_token: pair.refresh_token });
        assert.deepEqual([late.status, late.json], [400, INVALID]);
      }
      assert.equal((await desk.bound.publish('house/lamp', { as: 'ana' })).receivers, 1);
      await stays.close();
      await desk.bound.stack.untilTotal(0);
      await desk.refresh(other.refresh_token);
    });

    test('are given again to who had no answer, and to nobody else', async () => {
      const first = await desk.pair();
      const proof = newProof();
      const second = await desk.refresh(first.refresh_token, { proof });
      const again = await desk.refresh(first.refresh_token, { proof });
      assert.equal(again.refresh_token, second.refresh_token);
      assert.equal(again.access_token, second.access_token);
      const third = await desk.refresh(second.refresh_token, { proof: newProof() });
      assert.deepEqual((await desk.ask({ refresh_token: second.refresh_token, proof })).json, INVALID);
      assert.deepEqual((await desk.ask({ refresh_token: third.refresh_token })).json, INVALID, 'the family has ended');
    });

    test('are exchanged once, however many try at once', async () => {
      const first = await desk.pair();
      const answers = await Promise.all(Array.from({ length: 100 }, () => desk.ask({ refresh_token: first.refresh_token })));
      const count = (status) => answers.filter((answer) => answer.status === status).length;
      assert.deepEqual([count(200), count(400)], [1, 99]);
      const winner = answers.find((answer) => answer.status === 200).json;
      assert.deepEqual((await desk.ask({ refresh_token: winner.refresh_token })).json, INVALID, 'the theft was noticed');
      const fresh = await desk.pair();
      const proof = newProof();
      // A machine that is too busy for the store's limit of time may say 503: asked again, as the client does.
      const exchanged = () =>
        until('it is exchanged', async () => {
          const answer = await desk.ask({ refresh_token: fresh.refresh_token, proof });
          return answer.status !== 503 && answer;
        });
      const same = await Promise.all(Array.from({ length: 100 }, exchanged));
      const kinds = [...new Set(same.map(({ status, json, text }) => `${status} ${json?.refresh_token ?? text}`))];
      assert.equal(kinds.length, 1, `one pair for all: ${kinds.join('; ')}`);
      await desk.refresh(same[0].json.refresh_token);
    });

    test('are revoked, with their streams', async () => {
      const pair = await desk.pair();
      const stream = await desk.subscribe(pair);
      const next = await desk.refresh(pair.refresh_token);
      const answer = await desk.ask({ refresh_token: next.refresh_token }, { method: 'DELETE' });
      assert.deepEqual([answer.status, answer.text], [204, '']);
      await stream.takeUntil('dropped');
      assert.deepEqual((await desk.ask({ refresh_token: next.refresh_token })).json, INVALID);
      for (const unknown of [next.refresh_token, 'nonsense']) {
        assert.equal((await desk.ask({ refresh_token: unknown }, { method: 'DELETE' })).status, 204);
      }
      const late = await request(desk.bound.url, {
        method: 'POST',
        agent: false,
        body: JSON.stringify({ ep: [TOPIC], token: pair.access_token }),
      });
      assert.ok(late.status >= 400 || late.status === 303, `${late.status}`);
    });

    test('are kept as hashes alone', async () => {
      const { refresh_token } = await desk.pair();
      const code = refresh_token.split('.')[2];
      const kept =
        store === 'redis'
          ? await desk.redis.cli('HGETALL', `esn:refresh:${refresh_token.split('.')[0]}`)
          : ['', '-wal'].map((end) => fs.readFileSync(path.join(desk.bound.stack.folder, `tokens.db${end}`)).toString('latin1')).join('');
      assert.ok(kept.includes(sha256(refresh_token)));
      assert.ok(!kept.includes(code));
      for (const file of fs.readdirSync(desk.bound.stack.folder).filter((name) => name.endsWith('.log'))) {
        assert.ok(!fs.readFileSync(path.join(desk.bound.stack.folder, file), 'utf8').includes(code), file);
      }
    });

    if (store === 'redis') {
      test('are 503 while Redis is away', async () => {
        const pair = await desk.pair();
        await desk.redis.stop();
        const answer = await desk.ask({ refresh_token: pair.refresh_token });
        assert.deepEqual([answer.status, answer.json], [503, { error: 'Refresh tokens cannot be checked now' }]);
        const stream = await desk.subscribe(pair);
        await stream.close();
        await desk.redis.start();
        await until('tokens are given again', async () => (await desk.ask({ bind_key: bindKey('luis') })).status === 200);
      });
    } else {
      test('are kept in files for their owner alone', async () => {
        await desk.pair();
        for (const end of ['', '-wal', '-shm']) {
          const { mode } = fs.statSync(path.join(desk.bound.stack.folder, `tokens.db${end}`));
          assert.equal(mode & 0o777, 0o600, end);
        }
      });
    }
  });
}

describe('tokens in a cookie', () => {
  let desk;
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  before(async () => {
    desk = await Desk.start({
      web: 'nginx',
      store: 'sqlite',
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }).trim(),
      token: { cookie: 'yes' },
      more: { web: { origins: 'https://pages.example' } },
    });
  });
  after(() => desk?.stop());
  const origin = () => new URL(desk.bound.url).origin;
  const cookieOf = (answer) => {
    const [line] = answer.headers['set-cookie'];
    assert.match(line, /^__Host-esn-refresh=[^;]*; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    return line.split(';')[0];
  };

  test('are seen by no script, and come along', async () => {
    const first = await desk.ask({ bind_key: bindKey('luis') }, { headers: { Origin: origin() } });
    assert.equal(first.status, 200, first.text);
    assert.equal(first.json.refresh_token, undefined);
    const stream = await desk.subscribe(first.json); // signed with ES256
    const headers = { Origin: origin(), Cookie: `a=b; ${cookieOf(first)}; c=d` };
    const second = await desk.ask(undefined, { headers: { ...headers, 'Content-Length': '0' } });
    assert.equal(second.status, 200, second.text);
    assert.notEqual(cookieOf(second), cookieOf(first));
    const ended = await desk.ask(undefined, { method: 'DELETE', headers: { ...headers, Cookie: cookieOf(second) } });
    assert.equal(ended.status, 204);
    assert.match(ended.headers['set-cookie'][0], /^__Host-esn-refresh=; .*Max-Age=0$/);
    await stream.takeUntil('dropped');
  });

  test('are for pages of a list of origins too', async () => {
    const first = await desk.ask({ bind_key: bindKey('luis') }, { headers: { Origin: 'https://pages.example' } });
    assert.equal(first.status, 200, first.text);
    assert.equal(first.headers['access-control-allow-origin'], 'https://pages.example');
    assert.equal(first.headers['access-control-allow-credentials'], 'true');
    const headers = { Origin: 'https://pages.example', Cookie: cookieOf(first) };
    assert.equal((await desk.ask(undefined, { method: 'DELETE', headers })).status, 204);
  });

  test('are for pages of the site alone', async () => {
    const first = await desk.ask({ bind_key: bindKey('luis') }, { headers: { Origin: origin() } });
    for (const headers of [{}, { Origin: 'https://elsewhere.example' }, { Origin: 'null' }, { Origin: `${origin()}.example` }]) {
      for (const method of ['POST', 'DELETE']) {
        const answer = await desk.ask({}, { method, headers: { ...headers, Cookie: cookieOf(first) } });
        assert.deepEqual([answer.status, answer.json.error], [403, 'Origin not allowed'], JSON.stringify(headers));
        assert.equal(answer.headers['set-cookie'], undefined);
      }
    }
    await desk.ask(undefined, { headers: { Origin: origin(), Cookie: cookieOf(first), 'Content-Length': '0' } });
  });
});

test('without a key to sign with there are none', async () => {
  const bound = await Bound.start({});
  try {
    const answer = await request(`${bound.url}token`, { method: 'POST', agent: false, body: '{}' });
    assert.deepEqual([answer.status, answer.json.error], [404, 'Not found']);
  } finally {
    await bound.stop();
  }
});
