'use strict';

// A name server that does not answer: what has to ask it keeps to its time limits, and what does not is not held up.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { bindKey, keyPair } = require('./lib/bind-keys');
const { request } = require('./lib/http');
const { newFolder, programs, source, tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { withSilentNames } = require('./lib/silent-names');
const { Subscriber } = require('./lib/subscriber');
const { BehindWebServer } = require('./lib/webservers');

// The limits are a few seconds; without them it would be 150 s and more.
const GENEROUS_MS = 60_000;

async function soon(promise) {
  const began = Date.now();
  const result = await promise;
  const elapsed = Date.now() - began;
  assert.ok(elapsed < GENEROUS_MS, `took ${elapsed} ms`);
  return result;
}

describe('behind a silent name server', () => {
  const folder = newFolder('names');
  const wrapper = withSilentNames(folder);
  let web;
  before(async () => {
    web = await BehindWebServer.start('nginx', {
      handlerWrapper: wrapper,
      engine: 'zeromq', // the other's Redis would be at a silent name too
      config: {
        acl: { kind: 'mariadb', host: 'database.example.org', database: 'notify' },
        bind_key: { private_key_file: 'bind.key', tolerance: '600s' },
        binding: { url: 'http://binding.example.org/' },
        redis: { url: 'redis://redis.example.org', watch_sessions: 'no' },
        token: { sign_file: 'sign.secret', store: 'redis' },
      },
      prepare: (stack) => {
        fs.writeFileSync(path.join(stack.folder, 'bind.key'), keyPair().privateKey, { mode: 0o600 });
        stack.writeTokens('sign.secret', ['the secret that signs the tokens of these tests']);
      },
    });
  });
  after(async () => {
    await soon(web?.stop());
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const post = (ep, more) => web.stack.post({ ep, e: { type: 'x' }, ...more }, { url: `${web.url}event` });
  const postBound = () => post([{ topic: 'bound', binded: true }], { bind_key: bindKey('ana') });
  const subscribeBound = () => {
    const body = JSON.stringify({ bind_key: 'a key', ep: [{ topic: 'bound', binded: true }] });
    return request(web.url, { method: 'POST', agent: false, body });
  };

  test('a bound post is answered 503', async () => {
    const answer = await soon(postBound());
    assert.deepEqual([answer.status, answer.json.error], [503, 'Registered topics are unavailable']);
  });

  test('unbound posts pass by any number of bound ones', async () => {
    const bound = Array.from({ length: 60 }, postBound);
    for (let i = 0; i < 20; i++) {
      const answer = await soon(post(['free']));
      assert.equal(answer.status, 200, answer.text);
    }
    const answers = await soon(Promise.all(bound));
    assert.ok(answers.every((answer) => answer.status === 503));
  });

  test('a subscriber with a bind key is answered 503', async () => {
    const answer = await soon(subscribeBound());
    assert.deepEqual([answer.status, JSON.parse(answer.text).error], [503, 'Bind keys cannot be checked now']);
  });

  test('who brings a refresh token that is in Redis is answered 503, however many there are', async () => {
    const body = JSON.stringify({ refresh_token: `${'0'.repeat(32)}.1.${'0'.repeat(64)}` });
    const ask = () => request(`${web.url}token`, { method: 'POST', agent: false, body });
    const answers = await soon(Promise.all(Array.from({ length: 40 }, ask)));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [503]);
  });

  test('subscribers without one pass by any number of those', async () => {
    const bound = Array.from({ length: 60 }, subscribeBound);
    for (let i = 0; i < 20; i++) {
      const subscriber = await soon(Subscriber.open(web.url, { ep: ['free'] }));
      await subscriber.close();
    }
    const answers = await soon(Promise.all(bound));
    assert.ok(answers.every((answer) => answer.status === 503));
  });

  test('esnctl says so', async () => {
    const ended = await soon(run([...wrapper, programs.esnctl, 'topic', 'list'], { env: { ESN_CONF: web.stack.file } }));
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /not found, or the server not reached, in time/);
  });

  for (const mode of ['', '->quiet(memory: $memory)']) {
    test(`PHP's emitter${mode} gives up`, async () => {
      const script = `require '${source}/clients/php/autoload.php';
        $memory = new class implements EsWebNotify\\Quiet\\DownMemory {
          public function mayTry(): bool { return true; }
          public function down(?int $retryAfter = null): void {}
          public function up(): void {}
        };
        $broker = new EsWebNotify\\Emitter('http://broker.example.org/notify/event', token: 'secret');
        try {
          $sent = $broker${mode}->emit(new EsWebNotify\\Event('x'), EsWebNotify\\EventPoint::shout('a'));
          echo $sent === false ? 'false' : 'sent';
        } catch (EsWebNotify\\Exception\\BrokerUnreachable $failure) {
          echo $failure->getMessage();
        }`;
      const ended = await soon(run([...wrapper, tool('php', 'php-cli'), '-d', 'error_log=/dev/null', '-r', script]));
      assert.match(ended.stdout, mode === '' ? /^The broker at .* was not reached/ : /^false$/, ended.stderr);
    });
  }

  test('PHP finds names that need no name server', async () => {
    const script = `require '${source}/clients/php/autoload.php';
      try {
        (new EsWebNotify\\Emitter('http://localhost:9/'))->emit(new EsWebNotify\\Event('x'), EsWebNotify\\EventPoint::shout('a'));
      } catch (EsWebNotify\\Exception\\BrokerUnreachable $failure) {
        echo $failure->getMessage();
      }`;
    const ended = await soon(run([...wrapper, tool('php', 'php-cli'), '-r', script]));
    assert.match(ended.stdout, /curl 7\b/, 'curl could not connect: the address was known');
  });
});
