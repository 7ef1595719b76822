'use strict';

// Subscribers with a bind key behind each web server, as configured in deploy/, and what those from outside try.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { follow, request } = require('./lib/http');
const { tool, source } = require('./lib/paths');
const { RawConnection } = require('./lib/raw');
const { Subscriber } = require('./lib/subscriber');
const { BehindWebServer, servers } = require('./lib/webservers');

const TOPIC = 'CASA/NIVEL_AGUA';
const BOUND = { topic: TOPIC, binded: true };
const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });

/** As PHP's openssl_public_encrypt() makes it. */
function bindKey(uid, iat = Math.floor(Date.now() / 1000)) {
  const padding = crypto.constants.RSA_PKCS1_PADDING;
  return crypto.publicEncrypt({ key: pair.publicKey, padding }, Buffer.from(JSON.stringify({ iat, uid }))).toString('base64');
}

function sql(stack, statements) {
  execFileSync(tool('sqlite3', 'sqlite3'), ['-bail', path.join(stack.folder, 'topics.db')], { input: statements });
}

/** The key that opens bind keys, and a database with one topic that ana may hear and the sensor may publish. */
function prepare(stack) {
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  fs.writeFileSync(path.join(stack.folder, 'bind.key'), pem, { mode: 0o600 });
  sql(stack, fs.readFileSync(path.join(source, 'schema/sqlite.sql')));
  sql(
    stack,
    `INSERT INTO registered_topics (topic, owner, pub, sub) VALUES ('${TOPIC}', 'ana', '["sensor"]', '["eva"]');`,
  );
}

const config = {
  fanout: { keep_alive: '1s' }, // Apache notices who has gone when it writes
  acl: { kind: 'sqlite', file: 'topics.db', time_limit: '10s' },
  publish: { time_limit: '20s' },
  bind_key: { private_key_file: 'bind.key', tolerance: '30s' },
  binding: { mode: 'rsa' },
};

/** All spellings of a path that have ever come through somewhere. */
function spellings(ticket) {
  return [
    '/_fanout/',
    '//_fanout/',
    '/_fanout//',
    '/%5ffanout/',
    '/%5Ffanout/',
    '/_fanout%2f',
    '/_fanout/.',
    '/x/../_fanout/',
    '/notify/../_fanout/',
    '/notify/%2e%2e/_fanout/',
    '/./_fanout/',
    '/_fanout;x/',
    '/%2f_fanout/',
    '/_FANOUT/',
    '/notify/event/../../_fanout/',
  ].flatMap((spelling) => [`${spelling}?ticket=${ticket}`, `${spelling}healthz`]);
}

const forged = [
  '',
  'REDIRECT_STATUS: 200\r\n',
  'Redirect-Status: 200\r\nREDIRECT-STATUS: 200\r\n',
  'X-Accel-Redirect: /_fanout/\r\n',
  'X-Original-URL: /_fanout/\r\nX-Rewrite-URL: /_fanout/\r\n',
];

/** One raw request: its status, and as much of the answer as came with it. */
async function raw(port, target, headers, method = 'GET') {
  const connection = await RawConnection.open(port);
  connection.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);
  const head = await connection.head();
  connection.destroy();
  return head;
}

for (const name of Object.keys(servers)) {
  describe(`bind keys behind ${name}`, () => {
    let web;
    const subscribe = (uid, points = [BOUND]) => Subscriber.open(web.url, { bind_key: bindKey(uid), ep: points });
    const publish = (uid, point, type) =>
      web.stack.post({ bind_key: bindKey(uid), ep: [{ ...point, binded: true }], e: { type } }, { url: `${web.url}event` });

    before(async () => {
      web = await BehindWebServer.start(name, { config, prepare });
    });
    after(() => web?.stop());

    test('only who may hears it, and who may later, later', async () => {
      const [ana, eva, tom] = await Promise.all(['ana', 'eva', 'tom'].map((uid) => subscribe(uid, [BOUND, 'end'])));
      const first = await publish('sensor', { topic: TOPIC }, 'first');
      assert.deepEqual([first.status, first.json?.receivers], [200, 2], first.text);
      sql(web.stack, `UPDATE registered_topics SET sub = '["tom"]';`);
      const second = await publish('sensor', { topic: TOPIC }, 'second');
      assert.deepEqual([second.status, second.json?.receivers], [200, 2], second.text);
      assert.equal((await publish('tom', { topic: TOPIC }, 'never')).status, 403);
      const end = await web.stack.post({ ep: ['end'], e: { type: 'end' } }, { url: `${web.url}event` });
      assert.equal(end.json.receivers, 3);
      const heard = async (page) => (await page.takeUntil('end')).slice(1).map((frame) => frame.json.e.type);
      assert.deepEqual(await heard(ana), ['first', 'second', 'end']);
      assert.deepEqual(await heard(eva), ['first', 'end']);
      assert.deepEqual(await heard(tom), ['second', 'end']);
      await Promise.all([ana, eva, tom].map((page) => page.close()));
      await web.stack.untilTotal(0);
    });

    test('a bind key that is not valid is answered 400, with the headers that a page needs', async () => {
      for (const key of ['', 'x', bindKey('ana').slice(0, -4), bindKey('ana', 1), bindKey('*')]) {
        const body = JSON.stringify({ bind_key: key, ep: [BOUND] });
        const answer = await request(web.url, { method: 'POST', body, agent: false });
        assert.deepEqual([answer.status, answer.reason, answer.json.error], [400, 'Invalid Bind Key', 'Invalid Bind Key']);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.equal(answer.headers.location, undefined);
      }
    });

    test('a preflight is answered and not handed over', async () => {
      for (const target of [web.url, `${web.url}event`, `${web.url}alive`]) {
        const headers = {
          Origin: 'https://elsewhere.example',
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type',
        };
        const answer = await request(target, { method: 'OPTIONS', headers, agent: false });
        assert.ok([200, 204].includes(answer.status), `${target} ${answer.status}`);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.match(answer.headers['access-control-allow-methods'], /POST/);
        assert.match(answer.headers['access-control-allow-headers'], /Content-Type/i);
      }
    });

    test('the internal route cannot be reached from outside', async () => {
      for (const headers of forged) {
        for (const target of spellings('eyJhbGciOiJIUzI1NiJ9.e30.x')) {
          const head = await raw(web.port, target, headers);
          assert.ok([400, 403, 404].includes(head.status), `${target} with ${headers}: ${head.status}`);
          assert.notEqual(head.reason, 'Invalid ticket', `${target} with ${headers} is the daemon's answer`);
        }
      }
      for (const method of ['POST', 'HEAD', 'OPTIONS', 'PUT']) {
        const head = await raw(web.port, '/_fanout/', 'Content-Length: 0\r\n', method);
        assert.ok([200, 403, 404, 405].includes(head.status), `${method}: ${head.status}`);
        assert.equal(head.headers['access-control-allow-origin'], undefined, `${method} is the daemon's answer`);
      }
      assert.equal((await web.stack.look('/connections'))['@TOTAL@'], 0);
    });

    test('who brings a ticket needs no bind key, and a used one is worth nothing', async () => {
      const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const now = Math.floor(Date.now() / 1000);
      const claims = { aud: 'esn-fanout', iat: Date.now() / 1000, exp: now + 50, jti: name, uid: 'ana', ep: [BOUND] };
      const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
      const secret = fs.readFileSync(path.join(web.stack.folder, 'ticket.secret'), 'utf8').trim();
      const url = `${web.url}?ticket=${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
      const ana = await Subscriber.open(url, undefined);
      await publish('sensor', { topic: TOPIC }, 'by ticket');
      await ana.takeUntil('by ticket');
      const again = await follow(url, { agent: false });
      assert.deepEqual([again.status, again.reason], [400, 'Invalid ticket']);
      await ana.close();
      await web.stack.untilTotal(0);
    });
  });
}
