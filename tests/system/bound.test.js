'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Bound, NO_USER } = require('./lib/bound');

// The tables of docs/rights.md, written out: who may, by the list in pub or sub.
const LISTS = { empty: [], listed: ['luis'], users: ['+'], sessions: [NO_USER], everyone: ['*'] };
const MAY = {
  //                    empty  listed users  sessions everyone
  'the owner':          [true, true, true, true, true],
  'a listed user':      [false, true, true, false, true],
  'another user':       [false, false, true, false, true],
  'a session':          [false, false, false, true, true],
  'nobody':             [false, false, false, false, true],
};
const USERS = { 'the owner': 'ana', 'a listed user': 'luis', 'another user': 'tom', 'a session': NO_USER };
const PASSWORD = 'sésame, ouvre-toi';
const PASSWORDS = {
  none: { topic: 'open', given: undefined, right: true },
  right: { topic: 'locked', given: PASSWORD, right: true },
  wrong: { topic: 'locked', given: 'sesame', right: false },
  missing: { topic: 'locked', given: undefined, right: false },
};

for (const database of ['sqlite', 'mariadb']) {
  describe(`registered topics in ${database}`, () => {
    let bound;
    before(async () => {
      bound = await Bound.start({ database, config: { password: { wrong_at_once: '0' } } });
    });
    after(() => bound?.stop());

    describe('who may publish', () => {
      let owner;
      const topics = [];
      before(async () => {
        for (const [list, pub] of Object.entries(LISTS)) {
          await bound.add(`pub/open/${list}`, { pub });
          await bound.add(`pub/locked/${list}`, { pub, password: PASSWORD });
          topics.push(`pub/open/${list}`, `pub/locked/${list}`);
        }
        owner = await bound.subscribe('ana', topics);
      });
      after(() => owner?.close());

      Object.keys(LISTS).forEach((list, column) => {
        for (const [who, user] of Object.entries(USERS)) {
          for (const [which, { topic, given, right }] of Object.entries(PASSWORDS)) {
            const expected = !MAY[who][column] ? 'forbidden' : right ? 'sent' : 'wrong password';
            test(`${who}, pub ${JSON.stringify(LISTS[list])}, password ${which}: ${expected}`, async () => {
              const got = await bound.publish(`pub/${topic}/${list}`, { as: user, password: given, type: 'cell' });
              assert.equal(got.result, expected);
              assert.equal(got.status, expected === 'sent' ? 200 : 403);
              assert.equal(got.receivers, expected === 'sent' ? 1 : 0);
              assert.deepEqual(await bound.heard(owner), [expected === 'sent' ? ['cell'] : []]);
            });
          }
        }
        for (const [which, { topic, given }] of Object.entries(PASSWORDS)) {
          test(`without a bind key, pub ${JSON.stringify(LISTS[list])}, password ${which}: 400`, async () => {
            const point = { topic: `pub/${topic}/${list}`, binded: true, password: given };
            const answer = await bound.post(['free', point], { type: 'cell' });
            assert.equal(answer.status, 400);
            assert.equal(answer.json.error, 'Bind key missing');
            assert.deepEqual(await bound.heard(owner), [[]]);
          });
        }
      });
    });

    describe('who may hear', () => {
      const subscribers = {};
      const topics = Object.keys(LISTS).map((list) => `sub/${list}`);
      before(async () => {
        for (const [list, sub] of Object.entries(LISTS)) {
          await bound.add(`sub/${list}`, { sub });
        }
        for (const who of Object.keys(MAY)) {
          subscribers[who] = await bound.subscribe(USERS[who], topics);
        }
      });
      after(() => Promise.all(Object.values(subscribers).map((subscriber) => subscriber.close())));

      Object.keys(LISTS).forEach((list, column) => {
        test(`sub ${JSON.stringify(LISTS[list])}`, async () => {
          const may = Object.values(MAY).map((row) => row[column]);
          const got = await bound.publish(`sub/${list}`, { as: 'ana', type: 'cell' });
          assert.equal(got.receivers, may.filter(Boolean).length);
          const heard = await bound.heard(...Object.values(subscribers));
          assert.deepEqual(heard, may.map((hears) => (hears ? ['cell'] : [])));
        });

        test(`an event that is not bound, sub ${JSON.stringify(LISTS[list])}`, async () => {
          const answer = await bound.post(`sub/${list}`, { type: 'free' });
          assert.equal(answer.json.receivers, 1);
          const heard = await bound.heard(...Object.values(subscribers));
          assert.deepEqual(heard, Object.keys(MAY).map((who) => (who === 'nobody' ? ['free'] : [])));
        });
      });
    });

    test('a change in the database holds from the next event on, for open streams too', async () => {
      const topic = 'CASA/NIVEL_AGUA';
      await bound.add(topic, { sub: ['luis'] });
      const both = [await bound.subscribe('luis', [topic]), await bound.subscribe('eva', [topic])];
      const say = (type) => bound.publish(topic, { as: 'ana', type });
      await say('first');
      assert.deepEqual(await bound.heard(...both), [['first'], []]);
      await bound.esnctl('topic', 'grant', 'sub', topic, 'eva');
      await say('second');
      assert.deepEqual(await bound.heard(...both), [['second'], ['second']]);
      await bound.esnctl('topic', 'revoke', 'sub', topic, 'luis');
      await say('third');
      assert.deepEqual(await bound.heard(...both), [[], ['third']]);
      await bound.esnctl('topic', 'remove', topic);
      assert.equal((await say('fourth')).result, 'unregistered');
      await Promise.all(both.map((subscriber) => subscriber.close()));
    });

    test('some of a post are sent and some are not', async () => {
      await bound.add('mixed/mine', { owner: 'luis' });
      await bound.add('mixed/yours', { owner: 'ana' });
      const hearer = await bound.subscribe('luis', ['mixed/mine', 'mixed/yours']);
      const points = [
        { topic: 'mixed/yours', binded: true },
        { topic: 'mixed/mine', binded: true },
        { topic: 'mixed/none', binded: true },
        'mixed/free',
      ];
      const answer = await bound.post(points, { as: 'luis', type: 'mixed' });
      assert.equal(answer.status, 200);
      assert.equal(answer.json.receivers, 1);
      const results = answer.json.ep.map(({ topic, result, receivers }) => [topic, result, receivers]);
      assert.deepEqual(results, [
        ['mixed/yours', 'forbidden', 0],
        ['mixed/mine', 'sent', 1],
        ['mixed/none', 'unregistered', 0],
        ['mixed/free', 'sent', 0],
      ]);
      assert.equal(answer.json.id, answer.json.ep[1].id);
      assert.deepEqual(await bound.heard(hearer), [['mixed']]);
      const none = await bound.post([points[0], points[2]], { as: 'luis' });
      assert.equal(none.status, 403);
      assert.deepEqual(none.json.ep.map(({ result }) => result), ['forbidden', 'unregistered']);
      assert.equal(none.json.receivers, 0);
      await hearer.close();
    });

    test('a post that is refused as a whole publishes nothing', async () => {
      await bound.add('whole', { owner: 'ana' });
      const hearer = await bound.subscribe('ana', ['whole']);
      const good = { topic: 'whole', binded: true };
      for (const [points, status, options] of [
        [[good, { topic: 'a', targeted: true }], 400, { as: 'ana' }],
        [[good, { topic: 'a', binded: true, password: 7 }], 400, { as: 'ana' }],
        [[good, { topic: '@USER@', binded: true }], 403, { as: 'ana' }],
        [[good, null], 400, { as: 'ana' }],
        [[good], 400, { key: 'bm8ga2V5' }],
        [['free'], 400, { key: 'bm8ga2V5' }],
        [[good], 400, { key: 7 }],
        [[good], 400, {}],
      ]) {
        const answer = await bound.post(points, options);
        assert.equal(answer.status, status, answer.text);
      }
      assert.deepEqual(await bound.heard(hearer), [[]]);
      const free = await bound.post('free', { as: 'tom' });
      assert.equal(free.status, 200, 'an event point that is not bound needs no right');
      await hearer.close();
    });

    test('an inbox hears what its user follows and may hear, whatever the page is about', async () => {
      await bound.add('CASA/ALARM', { sub: ['luis', 'eva'] });
      await bound.esnctl('follow', 'CASA/ALARM', 'luis', 'tom', 'ana');
      const pages = {};
      for (const user of ['luis', 'eva', 'tom', 'ana']) {
        pages[user] = await bound.subscribe(user, ['@USER@', 'another/page']);
      }
      const direct = await bound.subscribe('luis', ['CASA/ALARM']);
      const all = [...Object.values(pages), direct];
      const say = (type) => bound.publish('CASA/ALARM', { as: 'ana', targeted: true, type });
      assert.equal((await say('first')).receivers, 2);
      const isFirst = ({ json }) => json.e.type === 'first';
      const frame = await pages.luis.until('the targeted event', () => pages.luis.frames.find(isFirst));
      assert.deepEqual(frame.json.ep, { requested: '@USER@', emitted: 'CASA/ALARM' });
      assert.deepEqual(await bound.heard(...all), [['first'], [], [], ['first'], []]);
      await bound.esnctl('unfollow', 'CASA/ALARM', 'luis');
      await bound.esnctl('topic', 'grant', 'sub', 'CASA/ALARM', 'tom');
      await say('second');
      assert.deepEqual(await bound.heard(...all), [[], [], ['second'], ['second'], []]);
      assert.equal((await bound.publish('CASA/ALARM', { as: 'tom', targeted: true })).result, 'forbidden');
      assert.equal((await bound.publish('CASA/NONE', { as: 'ana', targeted: true })).result, 'unregistered');
      await bound.publish('CASA/ALARM', { as: 'ana', type: 'not targeted' });
      assert.deepEqual(await bound.heard(...all), [[], [], [], [], ['not targeted']]);
      await Promise.all(all.map((subscriber) => subscriber.close()));
    });

    test('topics and users of every kind of character are nothing but texts', async () => {
      const texts = [
        "'; DROP TABLE registered_topics; --",
        '" OR ""="',
        "' UNION SELECT 'x','x','[\"*\"]','[\"*\"]','",
        '\\', '\\\' OR 1=1 -- ', '%', '_', '?', ':topic', '$1', '`id`', '$(id)', '&&id', '|id', '\n\r\t', '\x01\x1f',
        '*', '[]', '{"a":1}', '/', '//', ' ', 'a ', 'A', 'ä', 'a\u0308', 'ß', 'ñandú', '日本', '😀', '\u202e', 'İ', '-x', '--',
      ];
      const many = `x${'y'.repeat(4000)}`;
      for (const topic of [...texts, many]) {
        await bound.add(topic, { owner: topic === '*' || topic === many ? 'ana' : topic });
      }
      const inbox = await bound.subscribe("'; DROP TABLE registered_topics; --", [...texts, many].slice(0, 3));
      for (const topic of [...texts, many]) {
        const user = topic === '*' || topic === many ? 'ana' : topic;
        const got = await bound.publish(topic, { as: user });
        assert.equal(got.result, 'sent', JSON.stringify(topic));
        assert.equal((await bound.publish(topic, { as: 'somebody' })).result, 'forbidden', JSON.stringify(topic));
        assert.equal((await bound.publish(`${topic}x`, { as: user })).result, 'unregistered', JSON.stringify(topic));
      }
      assert.deepEqual(await bound.heard(inbox), [['x']]);
      await inbox.close();
    });

    test('ten thousand users may hear a topic', async () => {
      const users = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
      await bound.add('crowd', { sub: users });
      await bound.esnctl('follow', 'crowd', ...users.slice(0, 3000));
      const some = [0, 2999, 3000, 9999].map((index) => users[index]);
      const hearers = await Promise.all(
        [...some, 'user-10000'].map((user) => bound.subscribe(user, ['crowd', '@USER@'])),
      );
      assert.equal((await bound.publish('crowd', { as: 'ana', type: 'shout' })).receivers, 4);
      assert.equal((await bound.publish('crowd', { as: 'ana', targeted: true, type: 'inbox' })).receivers, 2);
      assert.deepEqual(await bound.heard(...hearers), [
        ['shout', 'inbox'],
        ['shout', 'inbox'],
        ['shout'],
        ['shout'],
        [],
      ]);
      await Promise.all(hearers.map((hearer) => hearer.close()));
    });
  });
}
