'use strict';

const assert = require('node:assert/strict');
const { afterEach, beforeEach, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { RawConnection } = require('./lib/raw');
const { Subscriber } = require('./lib/subscriber');
const { SECRET, accessToken } = require('./lib/tokens');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');
const { WebSocketPeer, handshakeText } = require('./lib/websocket');

const SHOP = 'https://shop.example';
const OTHER = 'https://shop.example.evil.example';

const allowed = (headers) => [
  headers['access-control-allow-origin'],
  headers['access-control-allow-credentials'],
  (headers.vary ?? '').split(/, */).includes('Origin'),
];
const ANYBODY = ['*', undefined, false];
const LISTED = [SHOP, 'true', true];
const NOBODY = [undefined, undefined, true];

/** Elsewhere the web server starts the handlers, and knows when. */
const handlersAreOurs = (name) => ['nginx', 'Apache with mod_proxy_fcgi'].includes(name);

for (const name of Object.keys(servers)) {
  describe(`origins behind ${name}`, () => {
    let web;
    let asks;
    beforeEach(async () => {
      web = await BehindWebServer.start(name, {
        config: {
          token: { keys_file: 'token.keys' },
          web: { origins: `http://localhost:8080 ${SHOP}` },
        },
        prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
      });
      const post = (path, body, headers = {}) => (more) =>
        request(`${web.url}${path}`, { method: 'POST', agent: false, body, headers: { ...headers, ...more } });
      const get = (path) => (headers) => request(`${web.url}${path}`, { agent: false, headers });
      const bearer = { Authorization: `Bearer ${web.stack.publishToken}` };
      const token = accessToken('ana');
      asks = {
        'an event': [200, post('event', '{"ep": ["a"], "e": {"type": "x"}}', bearer)],
        'a stranger': [404, post('event', '{}')],
        'a drop': [200, post('drop', '{"uid": "nobody"}', bearer)],
        'a ticket': [200, post('ticket', JSON.stringify({ ep: ['a'], token }))],
        'no ticket': [400, post('ticket', '{"ep": [], "token": "wrong"}')],
        'a poll': [[200, 303, 307], get('poll?ep=a&wait=0')],
        'a refused poll': [400, get('poll')],
        'a renewal': [[400, 307], post('alive', '{}')],
        'a look': [401, get('state')],
        'health': [200, get('healthz')],
        'no path': [404, get('nothing')],
      };
    });
    afterEach(() => web?.stop());

    test('of the list may read every answer, others none', async () => {
      for (const [what, [status, ask]] of Object.entries(asks)) {
        for (const [origin, expected] of [
          [SHOP, LISTED],
          [OTHER, NOBODY],
          ['null', NOBODY],
          [undefined, NOBODY],
        ]) {
          const answer = await ask(origin && { Origin: origin });
          assert.ok([status].flat().includes(answer.status), `${what}: ${answer.status} ${answer.text}`);
          assert.deepEqual(allowed(answer.headers), expected, `${what} of ${origin}`);
        }
      }
    });

    test('ask first what they may, and are told alike', async () => {
      for (const path of ['event', 'drop', '', 'poll', 'sse', 'ws', 'ticket', 'alive', 'state']) {
        const ask = (Origin) =>
          request(`${web.url}${path}`, {
            method: 'OPTIONS',
            agent: false,
            headers: { Origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'traceparent' },
          });
        const [shop, other] = [await ask(SHOP), await ask(OTHER)];
        assert.deepEqual([shop.status, other.status], [204, 204], path);
        assert.deepEqual(allowed(shop.headers), LISTED, path);
        assert.deepEqual(allowed(other.headers), NOBODY, path);
        assert.equal(shop.headers['access-control-allow-methods'], 'GET, POST, DELETE, OPTIONS', path);
        assert.match(shop.headers['access-control-allow-headers'], /^Authorization, .*, traceparent$/, path);
        assert.equal(shop.headers['access-control-max-age'], '86400', path);
      }
    });

    test('hold streams, each as its origin may', async () => {
      for (const [origin, expected] of [[SHOP, LISTED], [OTHER, NOBODY]]) {
        const stream = await Subscriber.open(web.url, ['a'], { headers: { Origin: origin } });
        const headers = {};
        for (let i = 0; i < stream.rawHeaders.length; i += 2) {
          headers[stream.rawHeaders[i].toLowerCase()] = stream.rawHeaders[i + 1];
        }
        assert.deepEqual(allowed(headers), expected, origin);
        await stream.close();
      }
    });

    test('open WebSockets, or are told that they may not', async () => {
      const port = web.mode === 'redirect' ? web.stack.port : web.port;
      const path = web.mode === 'redirect' ? '/ws?ep=a' : '/notify/ws?ep=a';
      for (const headers of [{ Origin: SHOP }, { Origin: 'http://localhost:8080' }, {}]) {
        const peer = await WebSocketPeer.open(port, path, { headers });
        peer.destroy();
      }
      for (const origin of [OTHER, 'null', 'http://localhost']) {
        const raw = await RawConnection.open(port);
        await raw.write(handshakeText(path, { Origin: origin }));
        const head = await raw.head();
        assert.deepEqual([head.status, head.reason], [403, 'Origin not allowed'], origin);
        raw.destroy();
      }
      // What is no handshake is told so first, whoever asks.
      const raw = await RawConnection.open(web.stack.port);
      await raw.write(handshakeText('/ws?ep=a', { Origin: OTHER, 'Sec-WebSocket-Version': '8' }));
      assert.equal((await raw.head()).status, 426);
      raw.destroy();
    });

    if (handlersAreOurs(name)) {
      test('are those of the new configuration after a reload', async () => {
        web.stack.writeConfig({ handoff: { mode: web.mode, url: `${web.stack.url}/` }, web: { origins: '*' } });
        for (const program of [web.stack.daemon, ...web.stack.handlers, web.handler]) {
          program.signal('SIGHUP');
        }
        for (const [what, [, ask]] of Object.entries(asks)) {
          await until(`${what} is for anybody`, async () => {
            const { headers } = await ask({ Origin: OTHER });
            assert.deepEqual(allowed(headers), ANYBODY);
            return true;
          });
        }
      });
    }
  });
}
