'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { after, before, beforeEach, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { programs } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { run } = require('./lib/program');
const { Subscriber } = require('./lib/subscriber');
const { SECRET, accessToken } = require('./lib/tokens');
const { until } = require('./lib/wait');

const TOPIC = { topic: 'house/lamp', bound: true };

/** A pair, and its public half as a JWK of this name. */
function newKey(kid, type = 'ec', options = { namedCurve: 'P-256' }, alg = 'ES256') {
  const { publicKey, privateKey } = crypto.generateKeyPairSync(type, options);
  return { kid, alg, key: privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

/** The server of [token] jwks_url: answers as `answer(response)` does, else with `keys`. */
class KeyServer {
  keys = [];
  asked = 0;

  static async start() {
    const server = new KeyServer();
    server.http = http.createServer((incoming, response) => {
      server.asked++;
      if (server.answer) {
        server.answer(response);
      } else {
        response.end(JSON.stringify({ keys: server.keys.map((key) => key.jwk) }));
      }
    });
    server.port = await freePort(); // it stays the server's while that is away
    await server.listen();
    return server;
  }

  listen() {
    return new Promise((resolve) => this.http.listen(this.port, '127.0.0.1', resolve));
  }

  stop() {
    return new Promise((resolve) => {
      this.http.close(resolve);
      this.http.closeAllConnections();
    });
  }
}

describe('keys that a server gives', () => {
  let bound;
  let server;
  const [first, second, third] = ['first', 'second', 'third'].map((kid) => newKey(kid));
  const edwards = newKey('edwards', 'ed25519', {}, 'EdDSA');
  const rsa = newKey('rsa', 'rsa', { modulusLength: 2048 }, 'PS256');
  const token = (key, more = {}) => accessToken('luis', { alg: key.alg, key: key.key, kid: key.kid, ...more });

  before(async () => {
    server = await KeyServer.start();
    server.keys = [first, rsa, edwards];
    bound = await Bound.start({
      config: {
        token: {
          keys_file: 'token.keys',
          jwks_url: `http://127.0.0.1:${server.port}/jwks.json`,
          jwks_time: '1s',
          time_limit: '300ms',
          down_time: '100ms',
        },
      },
      prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
    });
    await bound.add('house/lamp', { owner: 'ana', sub: ['luis'] });
  });
  after(async () => {
    await bound?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    server.keys = [first, rsa, edwards];
    await untilTaken(token(first));
  });

  const ask = (one) =>
    request(bound.url, { method: 'POST', agent: false, body: JSON.stringify({ ep: [TOPIC], token: one }) });
  /** Also of a token that is taken, whose answer does not end. */
  const statusOf = (one) =>
    new Promise((resolve, reject) => {
      const sent = http.request(bound.url, { method: 'POST', agent: false }, (answer) => {
        sent.destroy();
        resolve(answer.statusCode);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify({ ep: [TOPIC], token: one }));
    });
  const isTaken = async (one) => {
    const stream = await Subscriber.open(bound.url, { ep: [TOPIC], token: one }).catch(() => undefined);
    await stream?.close();
    return stream !== undefined;
  };
  const untilRefused = (one) => until('the token is refused', async () => (await statuses(one)).join() === '400');
  /** Nobody lets it in; a worker that has had no keys yet cannot say why. */
  const staysOut = async (one, count) => {
    const seen = await statuses(one, count);
    assert.ok(seen.every((status) => [400, 503].includes(status)), `${seen}`);
  };
  const untilTaken = (one) => until('the token is taken', () => isTaken(one));
  /** Of each of the workers some. */
  const statuses = async (one, count = 12) => {
    return [...new Set(await Promise.all(Array.from({ length: count }, () => statusOf(one))))];
  };

  test('verify tokens, beside those of the file', async () => {
    await untilTaken(token(first));
    await untilTaken(token(rsa));
    await untilTaken(token(edwards));
    await untilTaken(accessToken('luis'));
    await untilRefused(token({ ...first, key: second.key })); // the name of one, the signature of another
  });

  test('are asked for again when a token names one that is not known, now and then', async () => {
    const before = server.asked;
    server.keys = [first, second];
    await untilTaken(token(second));
    await staysOut(token(third), 50);
    assert.ok(server.asked - before < 40, `${server.asked - before} questions`);
  });

  test('that were taken away do not count when the set is old', async () => {
    server.keys = [second];
    await untilTaken(token(second));
    await untilRefused(token(first));
  });

  const broken = {
    'is down': async () => server.stop(),
    'answers slowly': async () => {
      server.answer = () => {};
    },
    'drips': async () => {
      server.answer = (response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      };
    },
    'answers an error': async () => {
      server.answer = (response) => {
        response.statusCode = 500;
        response.end(JSON.stringify({ keys: [third.jwk] }));
      };
    },
    'redirects': async () => {
      server.answer = (response) => {
        response.writeHead(302, { Location: '/elsewhere' });
        response.end(JSON.stringify({ keys: [third.jwk] }));
      };
    },
    'answers a page': async () => {
      server.answer = (response) => response.end(`<html>\n${'this line is long enough to be a secret of HS256'}\n</html>\n`);
    },
    'answers a secret': async () => {
      const k = Buffer.from(`${SECRET} of strangers`).toString('base64url');
      server.answer = (response) => response.end(JSON.stringify({ keys: [{ kty: 'oct', kid: 'oct', alg: 'HS256', k }] }));
    },
    'answers no keys': async () => {
      server.answer = (response) => response.end('{"keys": []}');
    },
    'answers half a set': async () => {
      server.answer = (response) => response.end(JSON.stringify({ keys: [third.jwk] }).slice(0, -9));
    },
    'answers 5 MB': async () => {
      server.answer = (response) => {
        const text = JSON.stringify({ keys: [third.jwk], padding: 'x'.repeat(5_000_000) });
        response.end(text);
      };
    },
  };
  for (const [what, breaks] of Object.entries(broken)) {
    test(`are the last good ones while the server ${what}`, async () => {
      await breaks();
      const asked = server.asked;
      if (what !== 'is down') {
        await until('it was asked', async () => {
          await isTaken(token(first));
          return server.asked > asked;
        });
      }
      await staysOut(token(third));
      await staysOut(accessToken('luis', { key: 'this line is long enough to be a secret of HS256' }));
      await staysOut(accessToken('luis', { key: `${SECRET} of strangers`, kid: 'oct' }));
      await untilTaken(token(first));
      assert.equal(await isTaken(accessToken('luis')), true);
      delete server.answer;
      if (what === 'is down') {
        await server.listen();
      }
    });
  }

  test('are asked for by esnctl check-config', async () => {
    const check = () => run([programs.esnctl, 'check-config', '--config', bound.stack.file]);
    const good = await check();
    assert.equal(good.code, 0, good.stderr);
    server.answer = (response) => response.end('<html>');
    const bad = await check();
    assert.deepEqual([bad.code, /^\[token\] jwks_url: no JSON$/m.test(bad.stderr)], [1, true], bad.stderr);
    delete server.answer;
  });

  test('that were never had are 503, and nobody else waits', async () => {
    await server.stop();
    bound.web.handler.signal('SIGHUP');
    await until('the workers are new ones', async () => (await statuses(token(first))).join() === '503');
    const answer = await ask(token(first));
    assert.deepEqual([answer.status, answer.json], [503, { error: 'Access tokens cannot be checked now' }]);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.equal(await isTaken(accessToken('luis')), true, 'one of the file');
    await server.listen();
    await untilTaken(token(first));
  });
});
