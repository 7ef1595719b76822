'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { signedHeaders } = require('./lib/signing');
const { Subscriber } = require('./lib/subscriber');
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
  });
}
