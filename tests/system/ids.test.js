'use strict';

// A post's own id is its publisher's: of the entry token or the publisher's name, the user, the kind and the topic. Crossed in every way.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { until } = require('./lib/wait');

const SECOND_TOKEN = 'another-publish-token-of-the-tests';
const NAMED = { shop: 'the secret of the shop, 0123456789', news: 'the secret of the news, 0123456789' };

/** The file of publishers, and the secrets that it names. */
function prepare(stack) {
  const sections = Object.entries(NAMED).map(([name, secret]) => {
    stack.writeTokens(`${name}.key`, [secret]);
    return `[${name}]\nsecret_file = ${name}.key\ntopics = #\nmay = bound whisper private users\n`;
  });
  fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), sections.join(''));
}

for (const log of ['in memory', 'on disk']) {
  describe(`ids of posts, with the log ${log}`, () => {
    let bound;
    let listener;
    before(async () => {
      const config = { publish: { publishers_file: 'publishers.conf' } };
      if (log === 'on disk') {
        config.log = { path: 'log.db', sync: 'always' };
      }
      bound = await Bound.start({ config, prepare });
      bound.stack.writeTokens('publish.token', [bound.stack.publishToken, SECOND_TOKEN]);
      bound.stack.handlers[0].signal('SIGHUP');
      await until('the second token is known', async () => {
        const answer = await post({ token: SECOND_TOKEN, point: 'nobody', type: 'x', id: undefined });
        return answer.status === 200;
      });
      await bound.add('topic', { owner: 'ana', pub: ['+'], sub: ['+'] });
      await bound.add('other', { owner: 'ana', pub: ['+'], sub: ['+'] });
      listener = await bound.subscribe(undefined, ['topic']);
    });
    after(async () => {
      await listener?.close();
      await bound?.stop();
    });

    const post = ({ token, user, point, type, id }) => {
      const body = { id, ep: [point], e: { type }, bind_key: user && bindKey(user) };
      return bound.stack.post(body, { url: `${bound.url}event`, token });
    };

    const kinds = (topic) => [
      topic,
      { topic, whisper: listener.connid },
      { topic, binded: true },
      { topic, binded: true, targeted: true },
      { topic, private: true },
      { topic, to: ['ana'] },
    ];

    /** Everybody who may use this id, each with each kind of event point. */
    const all = (id) =>
      [bound.stack.publishToken, SECOND_TOKEN, ...Object.values(NAMED)].flatMap((token) =>
        [undefined, 'ana', 'eva'].flatMap((user) =>
          ['topic', 'other'].flatMap((topic) =>
            kinds(topic)
              .filter((point) => user || !point.binded)
              .map((point) => ({ token, user, point, id })),
          ),
        ),
      );

    const expectAllNew = async (id) => {
      for (const [index, who] of all(id).entries()) {
        const answer = await post({ ...who, type: `n${index}` });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.ep[0].duplicate, undefined, JSON.stringify(who));
      }
    };

    const expectDoublesAndOthers = async (id) => {
      for (const [index, who] of all(id).entries()) {
        const again = await post({ ...who, type: `n${index}` });
        assert.deepEqual([again.status, again.json.ep[0].duplicate], [200, true], again.text);
        const other = await post({ ...who, type: 'other' });
        assert.deepEqual([other.status, other.json.error], [409, 'The id is that of another event']);
        assert.deepEqual([other.json.ep[0].result, other.json.ep[0].receivers], ['id of another event', 0]);
      }
    };

    test('nobody takes another one\'s: the same post is a double, and another one with the same id is refused', async () => {
      await expectAllNew('order-4711');
      await expectDoublesAndOthers('order-4711');
    });

    test('another point beside one that is refused is delivered', async () => {
      const [who] = all('order-4712');
      assert.equal((await post({ ...who, type: 'first' })).status, 200);
      const body = { id: who.id, ep: [who.point, 'free'], e: { type: 'other' } };
      const answer = await bound.stack.post(body, { url: `${bound.url}event` });
      assert.equal(answer.status, 409);
      assert.deepEqual(answer.json.ep.map((point) => point.result), ['id of another event', 'sent']);
    });

    test('a whisper to another stream is another event', async () => {
      const whisper = (connid) => post({ point: { topic: 'topic', whisper: connid }, type: 'w', id: 'w' });
      assert.equal((await whisper(1)).status, 200);
      assert.equal((await whisper(2)).status, 409);
      assert.equal((await whisper(1)).json.ep[0].duplicate, true);
    });

    test('an event to other users is another event', async () => {
      const to = (...users) => post({ point: { topic: 'topic', to: users }, type: 'u', id: 'u' });
      assert.equal((await to('ana', 'eva')).status, 200);
      assert.equal((await to('ana')).status, 409);
      assert.equal((await to('luis', 'eva')).status, 409);
      assert.equal((await to('eva', 'ana')).json.ep[0].duplicate, true);
    });

    if (log === 'on disk') {
      test('a restart changes nothing of it', async () => {
        await expectAllNew('order-4713');
        await listener.close();
        const { connid } = listener;
        await bound.stack.daemon.end();
        await bound.stack.startDaemon();
        listener = { connid, close: () => {} };
        await expectDoublesAndOthers('order-4713');
      });
    }
  });
}
