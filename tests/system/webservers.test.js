'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { startApache } = require('./lib/apache');
const { request } = require('./lib/http');
const { startNginx } = require('./lib/nginx');
const { programs, source } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');

/** A file of deploy/ with what its comments say is to be changed: each `from` is there, or the test is out of date. */
function adapted(file, changes) {
  let text = fs.readFileSync(path.join(source, 'deploy', file), 'utf8');
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `${from} in ${file}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** The configuration for Apache with the way in that its comments offer instead of mod_fcgid. */
function withWorkersOfTheirOwn(text) {
  const other = text.match(/^# {5}.*$/gm).filter((line) => !line.includes('Include '));
  assert.ok(other.some((line) => line.includes('unix:')), 'the other way is in the comments');
  const lines = other.map((line) => line.slice(1)).join('\n');
  return text.replace(/^ProxyPass "\/notify\/event" "!"$[^]*?^FcgidMaxProcessesPerClass.*$/m, lines);
}

function apacheChanges(stack) {
  return [
    ['127.0.0.1:8010', `127.0.0.1:${stack.port}`],
    ['/usr/local/libexec/esn-event', programs.event],
    ['/etc/es-web-notify.conf', stack.file],
    ['/run/es-web-notify/event.sock', stack.handlers[0].socket],
  ];
}

const servers = {
  nginx: (stack, port) => {
    const server = adapted('nginx/es-web-notify.conf', [
      ['127.0.0.1:8010', `127.0.0.1:${stack.port}`],
      ['/run/es-web-notify/event.sock', stack.handlers[0].socket],
    ]);
    return startNginx(path.join(stack.folder, 'web'), port, { server });
  },
  apache: (stack, port) =>
    startApache(path.join(stack.folder, 'web'), port, adapted('apache/es-web-notify.conf', apacheChanges(stack))),
  'apache and workers of their own': (stack, port) => {
    const text = withWorkersOfTheirOwn(adapted('apache/es-web-notify.conf', apacheChanges(stack)));
    return startApache(path.join(stack.folder, 'web'), port, text);
  },
};

for (const [name, startServer] of Object.entries(servers)) {
  describe(`behind ${name}, as configured in deploy/`, () => {
    let stack;
    let server;
    let url;
    before(async () => {
      stack = await Stack.start('web', { handlers: 1, config: { fanout: { keep_alive: '1s' } } });
      const port = await freePort();
      fs.mkdirSync(path.join(stack.folder, 'web'));
      server = await startServer(stack, port);
      url = `http://127.0.0.1:${port}/notify/`;
    });
    after(async () => {
      const code = await server?.end();
      await stack?.stop();
      assert.equal(code, 0);
    });

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
      const away = await post(event(1));
      assert.equal(away.status, 503);
      assert.match(away.headers['retry-after'], /^\d+$/);
      await stack.startDaemon();
    });
  });
}
