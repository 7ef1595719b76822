'use strict';

// Rows of a shop's database that esn-outbox publishes: docs/outbox.md says what is promised.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { Outbox } = require('./lib/outbox');
const { programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { until } = require('./lib/wait');

const PUBLISHERS = '[shop]\nsecret_file = shop.key\ntopics = orders/#\nmay = none\n[other]\nsecret_file = shop.key\ntopics = #\n'
  + '[slow]\nsecret_file = shop.key\ntopics = #\nrate = 1\n';

const said = (worker, pattern) => worker.output().match(pattern)?.length ?? 0;

/** Acts, and waits until the worker has said so once more. */
async function untilSaid(worker, pattern, act) {
  const before = said(worker, pattern);
  await act();
  await until(`the worker says ${pattern}`, () => said(worker, pattern) > before);
}

/** A trouble is said when it begins and when it is over, however often it is met. (A busy machine may make more of them.) */
function assertSaidOnce(worker, begins, ends) {
  assert.ok([0, 1].includes(said(worker, begins) - said(worker, ends)), worker.output());
}

for (const database of ['sqlite', 'mariadb']) {
  describe(`the outbox in ${database}`, () => {
    let outbox;
    let subscriber;
    before(async () => {
      outbox = await Outbox.start('outbox', {
        database,
        config: {
          publish: { publishers_file: '$/publishers', time_limit: '1s', down_time_limit: '20ms', burst: 1 },
          outbox: { publishers: '* shop slow', poll_max: '20ms' },
        },
        files: { publishers: PUBLISHERS },
      });
      subscriber = await outbox.stack.subscribe(['#']);
      await outbox.startWorker();
    });
    after(async () => {
      await subscriber?.close();
      await outbox?.stop();
    });

    const untilEmpty = () => until('the table is empty', async () => (await outbox.rows()).length === 0);

    /** Details of the events of a type up to the `count`-th. */
    async function heard(type, count) {
      const of = () => subscriber.frames.filter(({ json }) => json.e.type === type);
      await subscriber.until(`${count} of ${type}`, () => of().length >= count);
      return of().map(({ json }) => json.e.detail);
    }

    it('publishes what is committed, in order, and deletes it', async () => {
      const numbers = Array.from({ length: 500 }, (_, i) => i);
      await outbox.add('committed', numbers, { queue: 'one' });
      assert.deepEqual(await heard('committed', 500), numbers);
      await untilEmpty();
    });

    it('never publishes what is rolled back, and publishes what got its id before it', async () => {
      await outbox.sql(`BEGIN;\n${Outbox.row({ ep: ['a'], e: { type: 'rolled', detail: 'back' } })}ROLLBACK;`);
      await outbox.add('rolled', ['after']);
      assert.deepEqual(await heard('rolled', 1), ['after']);
    });

    it('keeps what is refused for ever with the words, and goes on behind it', async () => {
      const event = (topic) => ({ ep: [topic], e: { type: 'refused', detail: topic } });
      const bad = [
        ['nonsense', {}, /^400 Invalid JSON in body/],
        ['{"ep": ["a"]}', {}, /^400 /],
        [event('@SERVER@/x'), {}, /^403 Reserved topic/],
        [event('news/1'), { publisher: 'shop' }, /^403 not yours: news\/1$/],
        [{ ...event('orders/1'), ep: ['orders/1', 'news/1'] }, { publisher: 'shop' }, /^403 not yours: news\/1$/],
        [{ ...event('orders/1'), ep: [{ topic: 'orders/1', private: true }] }, { publisher: 'shop' }, /^403 not yours/],
        [event('orders/1'), { publisher: 'other' }, /^403 Publisher is not one of/],
        [{ ep: [{ topic: 'a', binded: true }], e: { type: 'refused' } }, {}, /^400 Bind key missing/],
        [{ ep: ['a'], e: { type: 'refused', detail: 'x'.repeat(1_000_001) } }, {}, /^413 /],
      ];
      await outbox.sql(`BEGIN;\n${bad.map(([body, more]) => Outbox.row(body, { queue: 'r', ...more })).join('')}COMMIT;`);
      await outbox.add('refused', ['behind'], { queue: 'r' });
      assert.deepEqual(await heard('refused', 1), ['behind']);
      const failures = await until('all are marked', async () => {
        const rows = await outbox.rows('failure');
        return rows.length === bad.length && rows.every(([failure]) => failure !== '') && rows;
      });
      failures.forEach(([failure], i) => assert.match(failure, bad[i][2]));
      assert.deepEqual(await heard('refused', 1), ['behind']);
      assert.equal((await outbox.counts()).failed, bad.length);
      await outbox.esnctl('outbox', '--all', 'drop');
    });

    it('has failed rows listed, retried and dropped by esnctl', async () => {
      await outbox.sql(`BEGIN;\n${['nonsense', 'nonsense too', '{}'].map((body) => Outbox.row(body)).join('')}COMMIT;`);
      const [first, second] = await until('three have failed', async () => {
        const failed = JSON.parse(await outbox.esnctl('outbox', '--json', 'failed'));
        return failed.length === 3 && failed;
      });
      assert.equal(first.body, 'nonsense');
      await outbox.sql(`UPDATE outgoing_events SET body = '{"ep":["a"],"e":{"type":"mended"}}' WHERE id = ${first.id};`);
      await outbox.esnctl('outbox', 'retry', String(first.id));
      await heard('mended', 1);
      await outbox.esnctl('outbox', 'drop', String(second.id));
      const ended = await run([programs.esnctl, 'outbox', 'drop', String(second.id)], { env: { ESN_CONF: outbox.stack.file } });
      assert.equal(ended.code, 1);
      assert.match(ended.stderr, /no such row/);
      await outbox.esnctl('outbox', '--all', 'drop');
      await until('nothing is left', async () => {
        const { waiting, failed: left } = await outbox.counts();
        return waiting + left === 0;
      });
    });

    it('gives a publisher with a name its own rights', async () => {
      await outbox.sql(Outbox.row({ ep: ['orders/2'], e: { type: 'named' } }, { publisher: 'shop' }));
      await heard('named', 1);
      assert.equal((await outbox.stack.look('/state')).publishers.shop.events, 1);
    });

    it('lets the queue of a publisher that is over its rate wait, and goes on with others', async () => {
      const queue = 'sl"öw\'s';
      await outbox.add('slow', Array.from({ length: 1200 }, (_, i) => i), { queue, publisher: 'slow' });
      await heard('slow', 1);
      await outbox.add('quick', [1]);
      await heard('quick', 1);
      // A reading has 200: those of the queue were left out of it.
      assert.ok(subscriber.frames.filter(({ json }) => json.e.type === 'slow').length < 900);
      await outbox.sql("DELETE FROM outgoing_events WHERE publisher = 'slow';");
    });

    it('lets rows wait while the daemon is away, which it says once', async () => {
      const worker = outbox.workers.at(-1);
      await untilEmpty(); // what is heard is deleted later
      await outbox.stack.killTaking();
      await untilSaid(worker, /does not take events/g, () => outbox.add('waited', [1, 2, 3], { queue: 'w' }));
      assert.equal((await outbox.counts()).waiting, 3);
      await outbox.stack.startTaking();
      subscriber = await outbox.stack.subscribe(['#']);
      // What is published before the subscriber is there it does not hear: the queue goes on in order either way.
      await outbox.add('waited', [4], { queue: 'w' });
      await subscriber.until('the fourth', () => subscriber.frames.some(({ json }) => json.e.type === 'waited' && json.e.detail === 4));
      await untilEmpty();
      assertSaidOnce(worker, /does not take events/g, /takes events again/g);
    });

    it('stands by beside another, and takes over when that is killed', async () => {
      const first = outbox.workers.at(-1);
      const file = path.join(outbox.stack.folder, 'second.conf');
      fs.writeFileSync(file, fs.readFileSync(outbox.stack.file, 'utf8').replace(outbox.doorbell, `${outbox.doorbell}2`));
      const second = await outbox.startWorker({ file });
      await second.untilLog(/standing by/);
      await outbox.add('taken over', [1]);
      await heard('taken over', 1);
      first.signal('SIGKILL');
      await first.ended;
      await outbox.add('taken over', [2]);
      assert.deepEqual(await heard('taken over', 2), [1, 2]);
    });

    it('says once that its database does not answer, and goes on when it does', async () => {
      const worker = outbox.workers.at(-1);
      await untilSaid(worker, /database does not answer/g, () => outbox.sql('ALTER TABLE outgoing_events RENAME TO moved_away;'));
      await untilSaid(worker, /database answers/g, () => outbox.sql('ALTER TABLE moved_away RENAME TO outgoing_events;'));
      await outbox.add('again', [1]);
      await heard('again', 1);
      assertSaidOnce(worker, /database does not answer/g, /database answers/g);
    });

    it('publishes no row twice that it could not delete', async () => {
      const worker = outbox.workers.at(-1);
      const refuse = database === 'sqlite'
        ? "CREATE TRIGGER stay BEFORE DELETE ON outgoing_events BEGIN SELECT RAISE(ABORT, 'stay'); END;"
        : "CREATE TRIGGER stay BEFORE DELETE ON outgoing_events FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stay';";
      await outbox.sql(refuse);
      await untilSaid(worker, /database does not answer/g, () => outbox.add('stays', [1]));
      // A daemon that remembers nothing of it.
      assert.equal(await outbox.stack.daemon.end(), 0);
      await outbox.stack.startDaemon();
      subscriber = await outbox.stack.subscribe(['#']);
      await outbox.sql('DROP TRIGGER stay;');
      await outbox.add('stays', [2]);
      assert.deepEqual(await heard('stays', 1), [2]);
      await untilEmpty();
    });
  });
}

describe('a queue behind a failed row', () => {
  it('waits with hold_failed, and others do not', async () => {
    const outbox = await Outbox.start('held', { config: { outbox: { hold_failed: 'yes', poll_max: '20ms' } } });
    const subscriber = await outbox.stack.subscribe(['#']);
    try {
      const rows = [Outbox.row('nonsense', { queue: 'held' }), Outbox.row({ ep: ['a'], e: { type: 'behind' } }, { queue: 'held' }),
        Outbox.row({ ep: ['a'], e: { type: 'other' } }, { queue: 'other' })];
      await outbox.sql(`BEGIN;\n${rows.join('')}COMMIT;`);
      await outbox.startWorker();
      await subscriber.takeUntil('other');
      const [{ id }] = await until('it failed', async () => JSON.parse(await outbox.esnctl('outbox', '--json', 'failed')).length === 1
        && JSON.parse(await outbox.esnctl('outbox', '--json', 'failed')));
      await outbox.add('later', [1], { queue: 'third' });
      await subscriber.takeUntil('later');
      await until('it waits alone', async () => (await outbox.counts()).waiting === 1);
      assert.equal(subscriber.frames.some(({ json }) => json.e.type === 'behind'), false);
      await outbox.esnctl('outbox', 'drop', String(id));
      await subscriber.takeUntil('behind');
    } finally {
      await subscriber.close();
      await outbox.stop();
    }
  });
});

describe('signals', () => {
  it('are taken, although whoever started it had them held back', async () => {
    const outbox = await Outbox.start('signals', {});
    const wrapper = ['env', '--block-signal=TERM,INT,HUP'];
    try {
      for (const signal of ['SIGTERM', 'SIGINT']) {
        const worker = await outbox.startWorker({ wrapper });
        worker.signal('SIGHUP');
        await worker.untilLog(/configuration read again/);
        assert.equal(await worker.end(signal), 0, worker.output());
      }
    } finally {
      await outbox.stop();
    }
  });
});

it('esnctl outbox says which words it cannot take', async () => {
  for (const [words, fault] of [
    [['show', '5'], /show takes no more words/],
    [['retry', '5x'], /an id is a number, not "5x"/],
    [['drop'], /drop: which rows/],
    [['--all', 'show'], /--all is for retry and drop/],
    [['--all', 'drop', '5'], /--all is for retry and drop/],
  ]) {
    const { code, stderr } = await run([programs.esnctl, 'outbox', ...words]);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, fault);
  }
});

describe('a configuration for the outbox', () => {
  it('is not good without publishers, with unknown ones, or without the table', async () => {
    const outbox = await Outbox.start('conf', {});
    const check = () => run([programs.outbox, '--check-config', '--config', outbox.stack.file]);
    try {
      assert.match((await check()).stdout, /: good for the user /);
      outbox.stack.writeConfig({ outbox: { publishers: '' } });
      assert.match((await check()).stderr, /publishers says for nobody/);
      outbox.stack.writeConfig({ outbox: { publishers: 'shop' } });
      assert.match((await check()).stderr, /shop is not in \[publish\] publishers_file, which is not set/);
      outbox.stack.writeConfig();
      await outbox.sql('DROP TABLE outgoing_events;');
      const { code, stderr } = await check();
      assert.equal(code, 2);
      assert.match(stderr, /no such table.*create-tables/);
    } finally {
      await outbox.stop();
    }
  });
});
