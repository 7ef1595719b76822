'use strict';

// What a client missed of bound topics, when its user's rights have changed meanwhile: on each transport.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { comeBack } = require('./lib/coming-back');
const { tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { run } = require('./lib/program');
const { until } = require('./lib/wait');

const INBOX = '@USER@';

for (const [database, log] of [['sqlite', 'memory'], ['sqlite', 'disk'], ['mariadb', 'memory']]) {
  describe(`the past of bound topics (${database}, log in ${log})`, () => {
    let bound;
    let topics = 0;
    before(async () => {
      const linesPort = await freePort();
      const config = { fanout: { listen_lines: `127.0.0.1:${linesPort}` }, acl: { time_limit: '5s', down_time: '0s' } };
      if (log === 'disk') {
        config.log = { path: 'log.db', sync: 'always' };
      }
      bound = await Bound.start({ database, config });
      bound.linesPort = linesPort;
    });
    after(() => bound?.stop());

    /** The last id that a client of now has. */
    const now = async () => {
      const stream = await bound.subscribe(undefined, []);
      await stream.close();
      return stream.connected.id;
    };

    const fetch = (user, last_id, ...names) => comeBack(bound, user, last_id, ...names);

    /** Events of before, then a change, then a restart where that keeps the events. */
    const missed = async ({ owner = 'ana', sub = [], follow = [], password }, change) => {
      const topic = `past/${topics++}`;
      await bound.add(topic, { owner, pub: ['+'], sub, password });
      for (const user of follow) {
        await bound.esnctl('follow', topic, user);
      }
      const last_id = await now();
      assert.equal((await bound.publish(topic, { as: 'ana', password, type: 'bound' })).result, 'sent');
      assert.equal((await bound.publish(topic, { as: 'ana', password, type: 'targeted', targeted: true })).result, 'sent');
      await change(topic);
      if (log === 'disk') {
        await bound.stack.daemon.end();
        await bound.stack.startDaemon();
        await until('events are taken again', async () => (await bound.post('again')).status === 200);
      }
      return { topic, last_id };
    };
    const execute = async (sql) => {
      if (bound.mariadb) {
        await bound.mariadb.sql(sql);
        return;
      }
      const ended = await run([tool('sqlite3', 'sqlite3'), '-bail', '-cmd', '.timeout 10000', bound.sqlite, sql]);
      assert.equal(ended.code, 0, ended.stderr);
    };
    const setOwner = (topic, owner) => execute(`UPDATE registered_topics SET owner = '${owner}' WHERE topic = '${topic}'`);
    const setPassword = async (topic, password) => {
      const file = path.join(bound.stack.folder, 'password');
      fs.writeFileSync(file, `${password}\n`);
      await bound.esnctl('password', '--cost', '4', '--file', file, '--', topic);
    };
    const nothing = async () => {};
    const all = { types: ['bound', 'targeted'], recovered: true };
    const none = { types: [], recovered: true };

    test('who may hear it gets it', async () => {
      for (const given of [{ owner: 'luis' }, { sub: ['luis'] }, { sub: ['+'] }, { sub: ['*'] }]) {
        const { topic, last_id } = await missed({ ...given, follow: ['luis'] }, nothing);
        assert.deepEqual(await fetch('luis', last_id, topic, INBOX), all, JSON.stringify(given));
      }
    });

    test('who has lost the right does not, nor what was targeted', async () => {
      for (const right of ['luis', '+', '*']) {
        const { topic, last_id } = await missed({ sub: [right, 'eva'], follow: ['luis'] }, (name) =>
          bound.esnctl('topic', 'revoke', 'sub', name, right),
        );
        assert.deepEqual(await fetch('luis', last_id, topic, INBOX), none, right);
        assert.deepEqual((await fetch('eva', last_id, topic)).types, ['bound']);
      }
    });

    test('nor does who has lost the topic with its row', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'], follow: ['luis'] }, (name) => bound.esnctl('topic', 'remove', name));
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), none);
    });

    test('a right that was given since does not count for before', async () => {
      const { topic, last_id } = await missed({ follow: ['luis'] }, (name) => bound.esnctl('topic', 'grant', 'sub', name, 'luis'));
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), none);
    });

    test('a right that was lost and given again does', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'], follow: ['luis'] }, async (name) => {
        await bound.esnctl('topic', 'revoke', 'sub', name, 'luis');
        await bound.esnctl('topic', 'grant', 'sub', name, 'luis');
      });
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), all);
    });

    test('who is the owner no more, and has no other right, does not get it; nor does who became it since', async () => {
      const { topic, last_id } = await missed({ owner: 'luis', follow: ['luis', 'eva'] }, (name) => setOwner(name, 'eva'));
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), none);
      assert.deepEqual(await fetch('eva', last_id, topic, INBOX), none);
    });

    test('a topic that was removed and registered anew, with the same right, is heard again', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'] }, async (name) => {
        await bound.esnctl('topic', 'remove', name);
        await bound.add(name, { owner: 'ana', sub: ['luis'] });
      });
      assert.deepEqual((await fetch('luis', last_id, topic)).types, ['bound']);
    });

    test('who follows no more is not given what was targeted, and who follows since only what it might hear', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'], follow: ['luis'] }, (name) => bound.esnctl('unfollow', name, 'luis'));
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), { types: ['bound'], recovered: true });
    });

    test('a password is for who publishes: another one, or none, changes nothing for who hears', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'], follow: ['luis'], password: 'first' }, (name) =>
        setPassword(name, 'second'),
      );
      assert.deepEqual(await fetch('luis', last_id, topic, INBOX), all);
      assert.deepEqual(await fetch('eva', last_id, topic, INBOX), none);
      const refused = await bound.publish(topic, { as: 'ana', password: 'wrong', type: 'bound' });
      assert.equal(refused.result, 'wrong password');
    });

    test('one topic of several is held back, the others are not', async () => {
      const first = await missed({ sub: ['luis'] }, nothing);
      const second = await missed({ sub: ['luis'] }, (name) => bound.esnctl('topic', 'revoke', 'sub', name, 'luis'));
      const third = await missed({ sub: ['luis'] }, nothing);
      const got = await fetch('luis', first.last_id, first.topic, second.topic, third.topic);
      assert.deepEqual(got, { types: ['bound', 'bound'], recovered: true });
    });

    test('which of its topics it would not hear now is said at once', async () => {
      const { topic, last_id } = await missed({ owner: 'eva' }, nothing);
      for (const past of [{}, { last_id }]) {
        const stream = await bound.subscribe('luis', [topic, 'past/unknown', INBOX], past);
        assert.deepEqual(stream.connected.deaf, [
          { topic, reason: 'forbidden' },
          { topic: 'past/unknown', reason: 'unregistered' },
        ]);
        await stream.close();
      }
    });

    test('when nobody can say, nothing is replayed, and the client is told that something may be missing', async () => {
      const { topic, last_id } = await missed({ sub: ['luis'], follow: ['luis'] }, nothing);
      if (database === 'sqlite') {
        fs.renameSync(bound.sqlite, `${bound.sqlite}.away`);
      } else {
        await bound.mariadb.sql('RENAME TABLE registered_topics TO away');
      }
      const stream = await bound.subscribe('luis', [topic, INBOX], { last_id });
      await bound.web.handler.untilLog(/bound events that clients missed are held back.* does not answer/);
      if (database === 'sqlite') {
        fs.renameSync(`${bound.sqlite}.away`, bound.sqlite);
      } else {
        await bound.mariadb.sql('RENAME TABLE away TO registered_topics');
      }
      await bound.publish(topic, { as: 'ana', type: 'live' });
      const [types] = await bound.heard(stream);
      assert.deepEqual([types, stream.connected.recovered], [['live'], false]);
      await stream.close();
    });
  });
}
