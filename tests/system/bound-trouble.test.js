'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { until } = require('./lib/wait');

/** Stops all threads of a program where they are. */
async function stop(program) {
  program.signal('SIGSTOP');
  await until(`${program.name} stands still`, () => {
    const tasks = fs.readdirSync(`/proc/${program.pid}/task`);
    return tasks.every((task) => / T /.test(fs.readFileSync(`/proc/${program.pid}/task/${task}/stat`, 'utf8')));
  });
}

/** How each database is taken away and given back. */
const troubles = {
  sqlite: {
    'is not there': {
      take: (bound) => fs.renameSync(bound.sqlite, `${bound.sqlite}.away`),
      give: (bound) => fs.renameSync(`${bound.sqlite}.away`, bound.sqlite),
    },
    'is no database': {
      take: (bound) => {
        fs.renameSync(bound.sqlite, `${bound.sqlite}.away`);
        fs.writeFileSync(bound.sqlite, 'this is no database. '.repeat(500));
      },
      give: (bound) => fs.renameSync(`${bound.sqlite}.away`, bound.sqlite),
    },
  },
  mariadb: {
    'has ended': {
      take: (bound) => bound.mariadb.program.end('SIGKILL'),
      give: (bound) => bound.mariadb.start(),
    },
    'hangs': {
      take: (bound) => stop(bound.mariadb.program),
      give: (bound) => bound.mariadb.program.signal('SIGCONT'),
    },
    'has lost its table': {
      take: (bound) => bound.mariadb.sql('RENAME TABLE registered_topics TO away'),
      give: (bound) => bound.mariadb.sql('RENAME TABLE away TO registered_topics'),
    },
  },
};

for (const [database, ways] of Object.entries(troubles)) {
  describe(`a ${database} database that fails`, () => {
    let bound;
    before(async () => {
      bound = await Bound.start({ database, config: { acl: { time_limit: '2s' } } });
      await bound.add('topic', { owner: 'ana' });
    });
    after(() => bound?.stop());

    const said = (text) => bound.stack.handlers[0].output().split('\n').filter((line) => line.includes(text)).length;
    const troubleSaid = () => said('the database of registered topics does not answer');
    const endSaid = () => said('the database of registered topics answers again');

    for (const [how, { take, give }] of Object.entries(ways)) {
      test(`it ${how}: 503, nothing is published; afterwards all is well without a restart`, async () => {
        const bearer = await bound.subscribe('ana', ['topic']);
        const free = await bound.subscribe(undefined, ['free']);
        const [troubles, ends] = [troubleSaid(), endSaid()];
        const points = ['free', { topic: 'topic', binded: true }];
        assert.equal((await bound.post(points, { as: 'ana', type: 'before' })).status, 200);
        await take(bound);
        for (let i = 0; i < 3; i++) {
          const answer = await bound.post(points, { as: 'ana', type: 'meanwhile' });
          assert.equal(answer.status, 503, answer.text);
          assert.equal(answer.json.error, 'Registered topics are unavailable');
          assert.match(answer.headers['retry-after'], /^\d+$/);
        }
        const plain = await bound.post('free', { as: 'ana', type: 'plain' });
        assert.equal(plain.status, 200, 'what is not bound needs no database');
        await give(bound);
        await until('bound events are taken again', async () => {
          const answer = await bound.post(points, { as: 'ana', type: 'after' });
          assert.ok([200, 503].includes(answer.status), answer.text);
          return answer.status === 200;
        });
        assert.deepEqual(await bound.heard(bearer, free), [['before', 'after'], ['before', 'plain', 'after']]);
        await Promise.all([bearer.close(), free.close()]);
        // Once, with the reason, by each of the two workers that met it; and the end of it likewise.
        assert.ok([1, 2].includes(troubleSaid() - troubles), bound.stack.handlers[0].output());
        assert.ok(endSaid() > ends && endSaid() <= troubleSaid(), bound.stack.handlers[0].output());
      });
    }
  });
}

describe('a list of users that no message holds', () => {
  let bound;
  before(async () => {
    bound = await Bound.start({ config: { publish: { max_body: '1000' } } });
  });
  after(() => bound?.stop());

  test('is said at once, and nothing is published', async () => {
    const users = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
    await bound.add('too/many', { sub: users });
    await bound.add('many', { sub: users.slice(0, 600) });
    const hearer = await bound.subscribe('user-1', ['many', 'too/many']);
    const points = ['many', 'too/many'].map((topic) => ({ topic, binded: true }));
    const answer = await bound.post(points, { as: 'ana' });
    assert.deepEqual([answer.status, answer.json.error], [500, 'Too many users may hear the topic']);
    assert.equal((await bound.publish('many', { as: 'ana' })).receivers, 1);
    assert.deepEqual(await bound.heard(hearer), [['x']]);
    await hearer.close();
  });
});

describe('passwords of registered topics', () => {
  let bound;
  const config = { password: { wrong_at_once: '3', wrong_time: '1h', remember_time: '1h' } };
  before(async () => {
    bound = await Bound.start({ config });
    // One process, so that it is one that counts.
    await bound.stack.handlers[0].end();
    bound.stack.options.workers = 1;
    const [old] = bound.stack.handlers.splice(0);
    const handler = bound.stack.startHandler();
    assert.equal(handler.socket, old.socket);
    await handler.until('it listens', () => fs.existsSync(handler.socket));
    await bound.add('locked', { owner: 'ana', password: 'right' });
    await bound.add('other', { owner: 'ana', password: 'right' });
    await bound.add('opened', { owner: 'ana', password: 'right' });
  });
  after(() => bound?.stop());

  const give = async (topic, password) => (await bound.publish(topic, { as: 'ana', password })).result;

  test('wrong ones are rationed, each topic by itself', async () => {
    assert.equal(await give('other', 'right'), 'sent');
    for (let i = 0; i < 3; i++) {
      assert.equal(await give('locked', `wrong ${i}`), 'wrong password');
    }
    assert.equal(await give('locked', 'wrong again'), 'too many wrong passwords');
    assert.equal(await give('locked', 'right'), 'too many wrong passwords');
    assert.equal(await give('locked'), 'wrong password');
    assert.equal(await give('other', 'wrong'), 'wrong password');
  });

  test('one that was right before gets through all the same', async () => {
    assert.equal(await give('opened', 'right'), 'sent');
    for (let i = 0; i < 4; i++) {
      await give('opened', `wrong ${i}`);
    }
    assert.equal(await give('opened', 'another wrong one'), 'too many wrong passwords');
    assert.equal(await give('opened', 'right'), 'sent');
  });

  test('a changed password holds at once', async () => {
    await bound.add('changing', { owner: 'ana', password: 'old' });
    assert.equal(await give('changing', 'old'), 'sent');
    fs.writeFileSync(`${bound.stack.folder}/password`, 'new\n');
    await bound.esnctl('password', '--cost', '4', '--file', `${bound.stack.folder}/password`, 'changing');
    assert.equal(await give('changing', 'old'), 'wrong password');
    assert.equal(await give('changing', 'new'), 'sent');
    await bound.esnctl('password', '--clear', 'changing');
    assert.equal(await give('changing'), 'sent');
  });
});
