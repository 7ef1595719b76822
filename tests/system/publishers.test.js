'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { signedHeaders } = require('./lib/signing');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { pause, until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

const SHOP = 'the secret of the shop, 0123456789';
const NEWS = 'the secret of the news, 0123456789';
const AWAY = 'the secret of who is away, 01234567';
const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');

/** The file of publishers, and the secrets that it names. */
function prepare(stack) {
  stack.writeTokens('shop.key', [SHOP]);
  stack.writeTokens('news.key', [NEWS]);
  stack.writeTokens('away.key', [AWAY]);
  fs.writeFileSync(path.join(stack.folder, 'feed.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  fs.writeFileSync(
    path.join(stack.folder, 'publishers.conf'),
    `[shop]
secret_file = shop.key
topics = orders/# news/today
may = whisper
[news]
secret_file = news.key
topics = news/#
signed = yes
[feed]
secret_file = feed.pem
topics = feed/+
[away]
secret_file = away.key
topics = #
addresses = 203.0.113.0/24
`,
  );
}

for (const name of Object.keys(servers)) {
  describe(`publishers behind ${name}`, () => {
    let web;
    let stack;
    let url;
    before(async () => {
      web = await BehindWebServer.start(name, { config: { publish: { publishers_file: 'publishers.conf' } }, prepare });
      ({ stack } = web);
      url = `${web.url}event`;
    });
    after(() => web?.stop());

    const event = (...ep) => JSON.stringify({ ep, e: { type: 'x' } });
    const bare = (body, secret) =>
      stack.post(body, { url, token: null, headers: { Authorization: `Bearer ${secret}` } });
    /** What is sent can differ from what was signed. */
    const signed = (body, { sent = body, at = url, headers = {}, ...signing }) =>
      stack.post(sent, {
        url: at,
        token: null,
        headers: { ...signedHeaders({ url, body, ...signing }), ...headers },
      });
    const news = { key: NEWS, keyid: 'news' };

    test('a secret goes as far as its topics and rights', async () => {
      const mixed = await bare(event('orders/1', 'news/today', 'news/other', 'orders/+'), SHOP);
      assert.equal(mixed.status, 200, mixed.text);
      assert.deepEqual(
        mixed.json.ep.map((point) => point.result),
        ['sent', 'sent', 'not yours', 'sent'],
      );
      const nothing = await bare(event('news/other', '#'), SHOP);
      assert.equal(nothing.status, 403);
      assert.deepEqual(nothing.json.ep.map((point) => point.result), ['not yours', 'not yours']);
      const bound = await bare(event({ topic: 'orders/1', bound: true }), SHOP);
      assert.equal(bound.status, 403, 'bound events are not among its rights');
      const whisper = await bare(event({ topic: 'orders/1', whisper: 7 }), SHOP);
      assert.equal(whisper.status, 200, whisper.text);
    });

    test('whoever may do everything still may', async () => {
      const answer = await stack.post(event('news/other', '#'), { url });
      assert.equal(answer.status, 200, answer.text);
    });

    test('strangers, unsigned posts and other addresses are told the same', async () => {
      const answers = [
        await bare(event('orders/1'), 'nobody knows this one'),
        await bare(event('news/today'), NEWS),
        await bare(event('orders/1'), AWAY),
        await signed(event('orders/1'), { key: AWAY, keyid: 'away' }),
        await signed(event('orders/1'), { key: SHOP, keyid: 'nobody' }),
      ];
      for (const answer of answers) {
        assert.deepEqual([answer.status, answer.text], [404, answers[0].text]);
      }
    });

    test('signed posts are taken, by shared secret and by Ed25519', async () => {
      const subscriber = await Subscriber.open(web.url, ['news/#', 'feed/#', 'orders/#']);
      const answers = [
        await signed(event('news/today'), news),
        await signed(event('news/today', 'news/2'), { ...news, covers: ['@method', '@target-uri', 'content-digest'] }),
        await signed(event('orders/1'), { key: SHOP, keyid: 'shop', alg: 'hmac-sha256' }),
        await signed(event('feed/1'), { key: privateKey, keyid: 'feed', alg: 'ed25519' }),
      ];
      for (const answer of answers) {
        assert.equal(answer.status, 200, answer.text);
      }
      assert.equal((await subscriber.takeUntil('x')).at(-1).json.ep.emitted, 'news/today');
      await subscriber.close();
    });

    test('one byte of body, path, query, date or key makes it a stranger’s', async () => {
      const body = event('news/today');
      const now = Math.floor(Date.now() / 1000);
      const wrong = {
        body: { sent: body.replace('today', 'todax') },
        path: { url: url.replace('event', 'evenu') },
        query: { at: `${url}?a=1` },
        'query, covered by nothing': { at: `${url}?a=1`, covers: ['@method', '@path', 'content-digest'] },
        method: { method: 'PUT' },
        key: { key: NEWS.replace('9', '8') },
        'another one’s key': { key: SHOP },
        algorithm: { alg: 'ed25519' },
        'too old': { created: now - 40 },
        'too new': { created: now + 60 },
        'no method covered': { covers: ['@path', '@query', 'content-digest'] },
        'no digest covered': { covers: ['@method', '@path', '@query'] },
        'another date': { headers: { 'Signature-Input': undefined } },
      };
      const stranger = await bare(body, 'nobody knows this one');
      for (const [what, change] of Object.entries(wrong)) {
        const { headers, ...signing } = change;
        let answer;
        if (headers) {
          const right = signedHeaders({ url, body, ...news });
          right['Signature-Input'] = right['Signature-Input'].replace(/created=\d+/, `created=${now - 1}`);
          answer = await stack.post(body, { url, token: null, headers: right });
        } else {
          answer = await signed(body, { ...news, ...signing });
        }
        assert.deepEqual([answer.status, answer.text], [404, stranger.text], what);
      }
      assert.equal((await signed(body, news)).status, 200, 'and the right one is taken');
    });

    test('a post that is sent again within its time is a double', async () => {
      const body = event('news/again');
      const headers = signedHeaders({ url, body, ...news });
      const [first, second] = [
        await stack.post(body, { url, token: null, headers }),
        await stack.post(body, { url, token: null, headers }),
      ];
      assert.equal(first.status, 200, first.text);
      assert.equal(first.json.ep[0].duplicate, undefined);
      assert.equal(second.status, 200, second.text);
      assert.equal(second.json.ep[0].duplicate, true);
      assert.equal(second.json.id, first.json.id);
    });

    test('and when its time is over it is a stranger’s', async () => {
      const body = event('news/late');
      // Nearly over, but not before it arrives, however slow the machine is.
      let first;
      let post;
      for (let left = 2; !first || (first.status === 404 && left < 30); left *= 2) {
        const headers = signedHeaders({ url, body, ...news, created: Math.floor(Date.now() / 1000) - 30 + left });
        post = () => stack.post(body, { url, token: null, headers });
        first = await post();
      }
      assert.equal(first.status, 200, first.text);
      const late = await until('it is refused', async () => {
        const again = await post();
        assert.ok(again.status === 404 || again.json.ep[0].duplicate === true, again.text);
        return again.status === 404 && again;
      });
      assert.equal(late.text, (await bare(body, 'nobody knows this one')).text);
    });
  });
}

describe('publishers with names', () => {
  const NEXT = 'the secret of the next one, 0123456';
  const file = (more = '') => `[shop]
secret_file = shop.key
topics = #
rate = 1
[news]
secret_file = news.key
topics = #
${more}`;
  let stack;
  before(async () => {
    stack = new Stack('names', { handlers: 2, config: { publish: { publishers_file: 'publishers.conf' } } });
    stack.writeTokens('shop.key', [SHOP]);
    stack.writeTokens('news.key', [NEWS]);
    stack.writeTokens('next.key', [NEXT]);
    fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), file());
    await stack.start();
  });
  after(() => stack?.stop());

  const post = (secret, topics, handler) =>
    stack.post({ ep: topics, e: { type: 'x' } }, { token: secret, handler });
  const counted = async (name) => (await stack.look('/state')).publishers[name];

  const ten = Array.from({ length: 10 }, (_, i) => `many/${i}`);

  test('have a rate of their own, through all handlers together', async () => {
    let begun, first, second, before;
    const news = await counted('news');
    do {
      await pause(1100); // one at least has grown back
      before = await counted('shop');
      begun = Date.now();
      first = await post(SHOP, ten, 0);
      second = await post(SHOP, ten, 1);
      // 503 says that an event was brought to the daemon twice, and limited the second time.
    } while (first.status === 503 || second.status === 503);
    const grown = Math.ceil((Date.now() - begun) / 1000) + 1;
    assert.deepEqual([first.status, second.status], [429, 429]);
    assert.equal(first.reason, 'Too Many Requests');
    assert.ok(Number(first.headers['retry-after']) >= 1);
    const sent = [...first.json.ep, ...second.json.ep].filter(({ result }) => result === 'sent').length;
    assert.ok(sent >= 1 && sent <= 1 + grown, `${sent} of 20`);
    for (let i = 0; i < 5; i++) {
      assert.equal((await post(NEWS, ten)).status, 200, 'another has none');
    }
    // With Redis the handler tells the daemon, after its answer.
    await until('all are counted', async () => (await counted('shop')).limited >= before.limited + 20 - sent);
    assert.deepEqual(await counted('shop'), { events: before.events + sent, limited: before.limited + 20 - sent, rate: 1 });
    assert.deepEqual(await counted('news'), { events: news.events + 50, limited: 0, rate: 0 });
  });

  test('are named in the log', async () => {
    const refused = await stack.post('{', { token: NEWS, handler: 0 });
    assert.equal(refused.status, 400);
    await until('another has published too much', async () => (await post(SHOP, ten, 0)).status === 429);
    await until('the log says who', () =>
      /post refused .*Too many events.* by=shop /.test(stack.handlers[0].output()) &&
      /post refused .*Invalid JSON in body.* by=news /.test(stack.handlers[0].output()));
  });

  test('come and change with SIGHUP, and a broken file changes nothing', async () => {
    const programs = [stack.daemon, ...stack.handlers];
    const reload = () => programs.forEach((program) => program.signal('SIGHUP'));
    const before = await counted('news');
    const next = file('[next]\nsecret_file = next.key\ntopics = next/#\nrate = 1000\n');
    assert.equal((await post(NEXT, ['next/1'], 0)).status, 404);
    fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), next);
    reload();
    for (const handler of [0, 1]) {
      await until('it may publish', async () => (await post(NEXT, ['next/1'], handler)).status === 200);
    }
    await until('the daemon counts it', async () => {
      await post(NEXT, ['next/1']);
      return (await counted('next'))?.events > 0;
    });
    assert.deepEqual(await counted('news'), before, 'what was counted stays');
    fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), `${next}rate = many\n`);
    reload();
    for (const program of programs) {
      await until(`${program.name} says what is wrong`, () =>
        /publishers\.conf:12: `rate` takes events a second, up to 1000000: many/.test(program.output()));
    }
    assert.equal((await post(NEXT, ['next/1'])).status, 200);
    assert.equal((await counted('next')).rate, 1000);
    fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), file());
    reload();
    for (const handler of [0, 1]) {
      await until('it may publish no more', async () => (await post(NEXT, ['next/1'], handler)).status === 404);
    }
    await until('the daemon has forgotten it', async () => (await counted('next')) === undefined);
  });

  test('are looked at by check-config, which names faults and their lines', () => {
    const faults = {
      'rate = many': '8: `rate` takes events a second, up to 1000000: many',
      'may = everything': '8: `may` takes bound, whisper, private, users, drop, report, none: everything',
      'signed = perhaps': '8: `signed` takes yes or no: perhaps',
      'addresses = 10.0.0.0/40': '8: no address or range of addresses (10.0.0.0/8): 10.0.0.0/40',
      'secret_file = away.key': `8: ${path.join(stack.folder, 'away.key')}: No such file`,
      'colour = red': '8: unknown key: colour',
      '[half': '8: ',
      '[a b]': "8: a publisher's name has letters, digits, '.', '_' and '-': a b",
      '[half]': '8: no secret_file is given for: half',
    };
    const name = path.join(stack.folder, 'publishers.conf');
    const check = (program, words) => spawnSync(program, words, { encoding: 'utf8' });
    for (const [line, fault] of Object.entries(faults)) {
      fs.writeFileSync(name, file(line));
      for (const result of [
        check(programs.esnctl, ['check-config', '--config', stack.file]),
        check(programs.event, ['--config', stack.file, '--check-config']),
      ]) {
        assert.notEqual(result.status, 0, line);
        assert.ok(result.stderr.includes(`publishers.conf:${fault}`), `${line}: ${result.stderr}`);
      }
    }
    fs.writeFileSync(name, file());
    const good = check(programs.esnctl, ['check-config', '--config', stack.file]);
    assert.equal(good.status, 0, good.stderr);
  });
});
