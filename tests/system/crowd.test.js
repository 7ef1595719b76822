'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');

const CROWD = 150; // more than two batches
const EVENTS = 60;
const BIG = 'x'.repeat(200_000);

// Many receivers are written to in one system call, or each by one of its own.
for (const io_uring of ['yes', 'no']) {
  describe(`an audience in which some do not read and some are gone, io_uring = ${io_uring}`, () => {
    let stack;
    const readers = [];
    const sleepers = [];

    before(async () => {
      stack = await Stack.start('crowd', {
        handlers: 1,
        config: { fanout: { io_uring, max_pending: '1M', max_pending_soft: '256k', soft_time: '1s' } },
      });
      for (let i = 0; i < CROWD; i++) {
        const sleeps = i % 10 === 5;
        const ep = i % 7 === 0 ? ['a', '+/c'] : ['a'];
        const client = await stack.subscribe(sleeps ? { ep: [...ep, 'big'], clid: 'sleeper' } : { ep, clid: 'reader' });
        (sleeps ? sleepers : readers).push(client);
      }
      sleepers.forEach((sleeper) => sleeper.pause());
    });
    after(async () => {
      await Promise.all([...readers, ...sleepers].map((client) => client.close()));
      await stack?.stop();
    });

    test('everybody who reads has every event once and in order', async () => {
      for (let i = 0; i < EVENTS; i++) {
        await stack.publish(['a', 'b/c'], 'n', i);
        if (i === 20) {
          await readers.pop().close(); // while events flow
        }
      }
      const all = await stack.drain('a', ...readers);
      all.forEach((frames, index) => {
        const heard = { a: [], '+/c': [] };
        for (const { json } of frames.filter((frame) => frame.json.e.type === 'n')) {
          heard[json.ep.requested].push(json.e.detail);
        }
        const every = Array.from({ length: EVENTS }, (_, i) => i);
        assert.deepEqual(heard.a, every, `reader ${index}`);
        assert.deepEqual(heard['+/c'], heard['+/c'].length === 0 ? [] : every, `reader ${index}`);
      });
      assert.ok(all.some((frames) => frames.some(({ json }) => json.ep.requested === '+/c')), 'nobody heard both');
    });

    test('those that do not read are closed as slow, alone', async () => {
      for (;;) {
        const counts = await stack.look('/connections');
        assert.equal(counts.reader, readers.length);
        if (counts.sleeper === undefined) {
          break;
        }
        await stack.publish('big', 'more', BIG);
      }
      await stack.drain('a', ...readers);
    });

    test('batches are used as configured', () => {
      const folder = `/proc/${stack.daemon.pid}/fd`;
      const opened = fs.readdirSync(folder).map((name) => fs.readlinkSync(path.join(folder, name)));
      assert.equal(opened.includes('anon_inode:[io_uring]'), io_uring === 'yes', stack.daemon.output());
    });
  });
}
