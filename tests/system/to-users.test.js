'use strict';

// Events to users: to the inboxes of those whom the publisher names, without row, follower or grant.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS } = require('./lib/every-transport');
const { END, granted, heard, placeOf, publish, startWithoutDatabase, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');

const TOPIC = 'orders/4711';
const INBOX = granted('@USER@');
const SHOP = 'the secret of the shop, 0123456789';

const to = (...users) => ({ topic: TOPIC, to: users });

function writePublishers(stack) {
  const section = (name, secret, may) => {
    stack.writeTokens(`${name}.key`, [secret]);
    return `[${name}]\nsecret_file = ${name}.key\ntopics = orders/#\nmay = ${may}\n`;
  };
  fs.writeFileSync(
    path.join(stack.folder, 'publishers.conf'),
    section('shop', SHOP, 'users') +
      section('private', `${SHOP} private`, 'private') +
      section('neither', `${SHOP} neither`, 'bound whisper drop'),
  );
}

for (const log of ['memory', 'disk']) {
  describe(`events to users (log in ${log})`, () => {
    let bed;
    before(async () => {
      const config = {
        log: log === 'disk' ? { path: 'log.db', sync: 'always' } : {},
        publish: { publishers_file: 'publishers.conf' },
        fanout: { poll_gap: '0ms' },
      };
      bed = await startWithoutDatabase(config, writePublishers);
    });
    after(() => bed?.stop());
    afterEach(async () => {
      RawConnection.destroyAll();
      await bed.stack.untilTotal(0);
    });

    const inboxOf = (user, more, open = TRANSPORTS.frames) =>
      open(placeOf(bed), { ep: [INBOX, END], token: token(user), ...more });
    const close = (...clients) => Promise.all(clients.map((client) => client.close()));
    const restart = async () => {
      if (log === 'disk') {
        await bed.stack.restartDaemon();
      }
    };

    for (const [name, open] of Object.entries(TRANSPORTS)) {
      test(`${name}: it comes live, and is not lost to who is away`, async () => {
        const client = await inboxOf('ana', {}, open);
        await publish(bed, to('ana'), 'live');
        await publish(bed, to('eva'), 'not for ana');
        assert.deepEqual(await heard(bed, client), [[['live', '@USER@', TOPIC]]]);
        const { connid, secret } = client.connected;
        await client.close();
        const { id } = await publish(bed, 'anywhere', 'now');
        await publish(bed, to('ana', 'eva'), 'missed');
        await publish(bed, to('eva'), 'not for ana');
        await restart();
        const again = await inboxOf('ana', { connid, secret, last_id: id, ...client.past }, open);
        assert.equal(again.connected.recovered, true);
        assert.deepEqual(await heard(bed, again), [[['missed', '@USER@', TOPIC]]]);
        await again.close();
      });
    }

    test('every stream of each user has it, once', async () => {
      const clients = [];
      for (const user of ['ana', 'ana', 7, '7', 'eva', undefined]) {
        clients.push(await inboxOf(user));
      }
      clients.push(await TRANSPORTS.frames(placeOf(bed), { ep: [INBOX, { topic: '@USER@', binded: true }, END], token: token('ana') }));
      const answer = await publish(bed, to('ana', 7, '7', 7.0, 'ana', 'nobody'), 'x');
      assert.equal(answer.receivers, 5);
      const x = [['x', '@USER@', TOPIC]];
      assert.deepEqual(await heard(bed, ...clients), [x, x, x, x, [], [], x]);
      await close(...clients);
    });

    test('a post that is sent again is a double, one to others under its id another event', async () => {
      const client = await inboxOf('ana');
      const post = (...users) => bed.post(to(...users), { type: 'x', id: 'order 4711' });
      assert.equal((await post('ana', 'eva')).json.receivers, 1);
      const double = await post('eva', 'ana', 'ana');
      assert.deepEqual([double.status, double.json.ep[0].duplicate], [200, true]);
      await restart();
      const other = await post('ana', 'luis');
      assert.deepEqual([other.status, other.json.ep[0].result], [409, 'id of another event']);
      if (log === 'memory') {
        assert.deepEqual((await heard(bed, client)).flat().length, 1);
      }
      await client.close();
    });

    test('what names nobody, or is something else besides, is refused', async () => {
      const wrong = [
        [{ topic: TOPIC, to: [] }, 'to should be an array of users'],
        [{ topic: TOPIC, to: 'ana' }, 'to should be an array of users'],
        [to(''), 'to has an entry that is no user id'],
        [to('ana', null), 'to has an entry that is no user id'],
        [to('*'), 'to has an entry that is no user id'],
        [to('+'), 'to has an entry that is no user id'],
        [to('[][][]'), 'to has an entry that is no user id'],
        [to(1.5), 'to has an entry that is no user id'],
        [to(['ana']), 'to has an entry that is no user id'],
        [{ ...to('ana'), private: true }, 'to goes with neither binded, private nor whisper'],
        [{ ...to('ana'), binded: true }, 'to goes with neither binded, private nor whisper'],
        [{ ...to('ana'), whisper: 7 }, 'to goes with neither binded, private nor whisper'],
        [{ topic: TOPIC, private: true, binded: true }, 'binded and private exclude each other'],
        [{ topic: TOPIC, private: 'yes' }, 'private should be true or false'],
      ];
      for (const [point, detail] of wrong) {
        const answer = await bed.post([TOPIC, point]);
        assert.deepEqual([answer.status, answer.json.error, answer.json.detail], [400, 'Invalid Event Point', detail]);
      }
    });

    test('a publisher with a name needs the right, for users and for private topics', async () => {
      const client = await TRANSPORTS.frames(placeOf(bed), { ep: [INBOX, granted(TOPIC), TOPIC, END], token: token('ana', ['#']) });
      const as = (secret) =>
        bed.stack.post(
          { ep: [TOPIC, granted(TOPIC), to('ana'), granted('news/1'), { ...to('ana'), topic: 'news/1' }], e: { type: secret } },
          { url: `${bed.url}event`, token: null, headers: { Authorization: `Bearer ${secret}` } },
        );
      const results = async (secret) => (await as(secret)).json.ep.map((point) => point.result === 'sent');
      assert.deepEqual(await results(SHOP), [true, false, true, false, false]);
      assert.deepEqual(await results(`${SHOP} private`), [true, true, false, false, false]);
      assert.deepEqual(await results(`${SHOP} neither`), [true, false, false, false, false]);
      const refused = await bed.stack.post(
        { ep: [to('ana')], e: { type: 'x' } },
        { url: `${bed.url}event`, token: null, headers: { Authorization: `Bearer ${SHOP} neither` } },
      );
      assert.deepEqual([refused.status, refused.json.ep[0].result], [403, 'not yours']);
      assert.equal((await heard(bed, client))[0].length, 5);
      await client.close();
    });

    test('an inbox is nobody’s without a proof', async () => {
      for (const [name, open] of Object.entries(TRANSPORTS)) {
        await assert.rejects(open(placeOf(bed), { ep: ['@USER@'] }), /400 Topic @USER@ should be binded or private/, name);
        await assert.rejects(open(placeOf(bed), { ep: ['@USER@'], token: token('ana') }), /400 Topic @USER@ should be/, name);
        await assert.rejects(open(placeOf(bed), { ep: [INBOX] }), /400 Bound topics need a bind key/, name);
      }
    });
  });
}
