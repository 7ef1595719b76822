'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs, tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

function newStack(label, log = {}, options = {}) {
  const stack = new Stack(label, { engine: 'zeromq', handlers: 1, workers: 4, ...options });
  stack.logFile = path.join(stack.folder, 'log');
  stack.config = { log: { path: stack.logFile, ...log }, ...options.config };
  return stack;
}

const types = (frames) => frames.map((frame) => frame.json.e.type);

/** Ends the daemon in the given way and starts it again. */
async function restart(stack, signal) {
  await stack.daemon.end(signal);
  await stack.startDaemon();
  // The handlers find it by themselves.
  await until('events are taken again', async () => (await stack.post({ ep: ['again'], e: { type: 'x' } })).status === 200);
}

for (const signal of ['SIGTERM', 'SIGKILL']) {
  describe(`a log that is synced always, and ${signal}`, () => {
    let stack;
    before(async () => {
      stack = newStack('keep');
      await stack.start();
    });
    after(() => stack?.stop());

    test('what was acknowledged is replayed, once and in order, with the same ids', async () => {
      const client = await stack.subscribe(['a/+']);
      const start = client.connected.id;
      const ids = [];
      for (let i = 0; i < 50; i++) {
        ids.push((await stack.publish(`a/${i % 3}`, `e${i}`, { i })).id);
      }
      await client.takeUntil('e49');
      await client.close();
      await restart(stack, signal);
      const back = await stack.subscribe({ ep: ['a/+'], last_id: start });
      assert.equal(back.connected.recovered, true);
      await stack.publish('a/0', 'last');
      const frames = (await back.takeUntil('last')).slice(1, -1);
      assert.deepEqual(frames.map(({ json }) => json.id), ids);
      assert.deepEqual(types(frames), ids.map((_, i) => `e${i}`));
      assert.deepEqual(frames[7].json.e, { type: 'e7', detail: { i: 7 } });
      await back.close();
      const middle = await stack.subscribe({ ep: ['a/+'], last_id: ids[40] });
      assert.equal(middle.connected.recovered, true);
      assert.deepEqual(types(await middle.takeUntil('last')).slice(1), [...ids.slice(41).map((_, i) => `e${i + 41}`), 'last']);
      await middle.close();
    });

    test('the same id posted before and after is delivered once, and answered with its first numbers', async () => {
      const client = await stack.subscribe(['b']);
      const body = { id: 'only-once', ep: ['b'], e: { type: 'once' } };
      const first = await stack.post(body);
      assert.equal(first.status, 200, first.text);
      await client.takeUntil('once');
      await restart(stack, signal);
      const again = await stack.subscribe({ ep: ['b'], last_id: client.connected.id });
      const second = await stack.post(body);
      assert.equal(second.status, 200, second.text);
      assert.equal(second.json.id, first.json.id);
      assert.equal(second.json.ep[0].duplicate, true);
      assert.equal(first.json.receivers, 1);
      assert.equal(second.json.receivers, 0); // who heard it is not kept on disk
      await stack.publish('b', 'last');
      assert.deepEqual(types(await again.takeUntil('last')), ['connected', 'once', 'last']);
      await again.close();
      await client.close();
    });

    test('a client that proves who it was keeps its connection id and gets the whispers it missed, once', async () => {
      const whisper = async (to, type) => {
        const body = { id: type, ep: [{ topic: 'w', whisper: to }], e: { type } };
        await until(`${type} is taken`, async () => (await stack.post(body)).status === 200);
      };
      const gone = await stack.subscribe(['w']);
      const held = await stack.subscribe(['w']);
      const { id } = gone.connected;
      const body = JSON.stringify({ connid: held.connid, secret: held.secret });
      const renewed = await stack.get('/alive', { method: 'POST', body });
      assert.equal(renewed.status, 200, renewed.text);
      await gone.close();
      await whisper(gone.connid, 'to gone');
      await whisper(held.connid, 'to held');
      await restart(stack, signal);
      await whisper(gone.connid, 'to gone, later');
      const proofs = [
        [gone.connid, gone.secret, ['to gone', 'to gone, later']],
        [held.connid, renewed.json.secret, ['to held']],
      ];
      for (const [connid, secret, missed] of proofs) {
        const body = { ep: ['w'], last_id: id, connid, secret };
        const liar = await stack.subscribe({ ...body, secret: secret.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) });
        const back = await stack.subscribe(body);
        assert.equal(back.connid, connid);
        assert.notEqual(back.secret, secret);
        assert.equal(back.connected.recovered, true);
        // Until it has shown its new secret the old one is as good: the answer might have been lost.
        const shown = await stack.get('/alive', { method: 'POST', body: JSON.stringify({ connid, secret: back.secret }) });
        assert.equal(shown.status, 200, shown.text);
        const thief = await stack.subscribe(body);
        await stack.publish('w', 'last');
        assert.deepEqual(types(await back.takeUntil('last')), ['connected', ...missed, 'last']);
        for (const other of [liar, thief]) {
          assert.notEqual(other.connid, connid);
          assert.ok(!types(await other.takeUntil('last')).some((type) => type.startsWith('to ')));
          await other.close();
        }
        await back.close();
      }
      await held.close();
    });

    test('connection ids of before are not given again', async () => {
      const one = await stack.subscribe(['c']);
      await restart(stack, signal);
      const other = await stack.subscribe(['c']);
      assert.ok(other.connid > one.connid, `${one.connid} then ${other.connid}`);
      await other.close();
      await one.close();
    });
  });
}

describe('one file for two daemons', () => {
  let stack;
  before(async () => {
    stack = newStack('two', {}, { handlers: 0 });
    await stack.start();
  });
  after(() => stack?.stop());

  test('the second one does not start and says why', async () => {
    const file = path.join(stack.folder, 'second.conf');
    fs.writeFileSync(
      file,
      `[fanout]\nlisten = unix:${stack.folder}/second.sock\n` +
        `[bus]\nevents = ipc://${stack.folder}/events2\nacks = ipc://${stack.folder}/acks2\n[log]\npath = ${stack.logFile}\n`,
    );
    const { code, stderr } = await run([programs.fanout, '--config', file]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot open the event log .*another process has it open/);
    assert.equal(stack.daemon.isRunning, true);
  });

  test('the files are for their owner alone', () => {
    for (const name of fs.readdirSync(stack.folder).filter((entry) => entry.startsWith('log'))) {
      assert.equal(fs.statSync(path.join(stack.folder, name)).mode & 0o777, 0o600, name);
    }
  });
});

for (const sync of ['interval', 'never']) {
  describe(`a log with sync = ${sync}`, () => {
    let stack;
    before(async () => {
      stack = newStack('loose', { sync, sync_interval: '10ms' });
      await stack.start();
    });
    after(() => stack?.stop());

    test('after a clean end nothing is missing, and that is said', async () => {
      const client = await stack.subscribe(['a']);
      for (let i = 0; i < 20; i++) {
        await stack.publish('a', `e${i}`);
      }
      await restart(stack, 'SIGTERM');
      const back = await stack.subscribe({ ep: ['a'], last_id: client.connected.id });
      assert.equal(back.connected.recovered, true);
      await stack.publish('a', 'last');
      const expected = Array.from({ length: 20 }, (_, i) => `e${i}`);
      assert.deepEqual(types(await back.takeUntil('last')), ['connected', ...expected, 'last']);
      await back.close();
    });

    test('after a kill what is there is replayed, and that something may be missing is said', async () => {
      const client = await stack.subscribe(['b']);
      await stack.publish('b', 'early');
      await until('it is on the disk', async () => (await stack.look('/state')).log_unsynced_bytes === 0);
      await restart(stack, 'SIGKILL');
      const back = await stack.subscribe({ ep: ['b'], last_id: client.connected.id });
      assert.equal(back.connected.recovered, false);
      await stack.publish('b', 'last');
      const frames = await back.takeUntil('last');
      assert.deepEqual(types(frames), ['connected', 'early', 'last']);
      await back.close();
      const later = await stack.subscribe({ ep: ['b'], last_id: frames.at(-1).json.id });
      assert.equal(later.connected.recovered, true);
      await later.close();
      // The doubt does not go away with the next start.
      await restart(stack, 'SIGTERM');
      const doubtful = await stack.subscribe({ ep: ['b'], last_id: client.connected.id });
      assert.equal(doubtful.connected.recovered, false);
      await doubtful.close();
      const sure = await stack.subscribe({ ep: ['b'], last_id: frames.at(-1).json.id });
      assert.equal(sure.connected.recovered, true);
      await sure.close();
    });
  });
}

describe('the disk of a log that is synced always is full', () => {
  let stack;
  let folder; // of the disk, as the daemon sees it
  let outside; // the same from here
  before(async () => {
    stack = newStack('full');
    folder = path.join(stack.folder, 'disk');
    fs.mkdirSync(folder);
    stack.config.log.path = path.join(folder, 'log');
    const mount = `mount -t tmpfs -o size=1m none '${folder}' && exec "$@"`;
    stack.options.wrapper = [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--mount', 'sh', '-c', mount, 'sh'];
    await stack.start();
    outside = `/proc/${stack.daemon.pid}/root${folder}`;
  });
  after(() => stack?.stop());

  function fill() {
    const file = fs.openSync(path.join(outside, 'filler'), 'w');
    for (let size = 65536; size > 0; ) {
      try {
        fs.writeSync(file, Buffer.alloc(size));
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
        size = Math.floor(size / 2);
      }
    }
    fs.closeSync(file);
  }

  test('posts are answered 503 at once and delivered to nobody, everything else goes on, and it ends by itself', async () => {
    const client = await stack.subscribe(['a', '@CONNECTION@/visitor']);
    await stack.publish('a', 'before');
    fill();
    const body = { id: 'refused', ep: ['a'], e: { type: 'refused', detail: 'x'.repeat(20_000) } };
    await until('an event has no room', async () => (await stack.post(body)).status === 503);
    for (let i = 0; i < 3; i++) {
      const answer = await stack.post({ ep: ['a'], e: { type: 'never', detail: 'x'.repeat(20_000) } });
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.json.error, 'The fan-out daemon cannot write its log to the disk');
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    await assert.rejects(stack.look('/readyz'), /the log cannot be written to the disk/);
    const visitor = await stack.subscribe({ ep: ['a'], clid: 'visitor' });
    await client.takeUntil('connect');
    assert.ok((await stack.look('/state')).log_not_stored >= 4);
    await stack.daemon.untilLog(/cannot write the event log/);
    assert.equal(stack.daemon.output().match(/cannot write the event log/g).length, 1);
    fs.rmSync(path.join(outside, 'filler'));
    const id = (await stack.publish('a', 'after')).id;
    assert.equal((await stack.post(body)).status, 200);
    await stack.publish('a', 'last');
    assert.deepEqual(types(await client.takeUntil('last')), ['after', 'refused', 'last']);
    assert.deepEqual(types(await visitor.takeUntil('last')), ['connected', 'after', 'refused', 'last']);
    await stack.daemon.untilLog(/the event log can be written again/);
    const back = await stack.subscribe({ ep: ['a'], last_id: id });
    assert.equal(back.connected.recovered, true);
    assert.deepEqual(types(await back.takeUntil('last')), ['connected', 'refused', 'last']);
    for (const one of [client, visitor, back]) {
      await one.close();
    }
  });
});

describe('a log with sync = never that may not grow', () => {
  let stack;
  before(async () => {
    stack = newStack('small', { sync: 'never' });
    await stack.start();
  });
  after(() => stack?.stop());

  async function allowFileSize(size) {
    const { code, stderr } = await run([tool('prlimit', 'util-linux'), '--pid', String(stack.daemon.pid), `--fsize=${size}:`]);
    assert.equal(code, 0, stderr);
  }

  test('events are delivered all the same, and clients are told of the gap after the next start', async () => {
    const client = await stack.subscribe(['a']);
    const first = await stack.publish('a', 'kept');
    await until('it is stored, as all before it', async () => {
      const { log_stored: stored, log_events: events } = await stack.look('/state');
      return stored === events;
    });
    await allowFileSize(4096);
    for (let i = 0; i < 5; i++) {
      await stack.publish('a', `e${i}`);
    }
    await until('that is noticed', async () => (await stack.look('/state')).log_not_stored === 5);
    await allowFileSize('unlimited');
    const last = await stack.publish('a', 'last');
    assert.deepEqual(types(await client.takeUntil('last')), ['connected', 'kept', 'e0', 'e1', 'e2', 'e3', 'e4', 'last']);
    // While it runs it has all of them in memory.
    const before = await stack.subscribe({ ep: ['a'], last_id: first.id });
    assert.equal(before.connected.recovered, true);
    assert.deepEqual(types(await before.takeUntil('last')), ['connected', 'e0', 'e1', 'e2', 'e3', 'e4', 'last']);
    await before.close();
    await restart(stack, 'SIGTERM');
    const back = await stack.subscribe({ ep: ['a'], last_id: first.id });
    assert.equal(back.connected.recovered, false);
    assert.deepEqual(types(await back.takeUntil('last')), ['connected', 'last']);
    const sure = await stack.subscribe({ ep: ['a'], last_id: last.id });
    assert.equal(sure.connected.recovered, true);
    for (const one of [back, sure]) {
      await one.close();
    }
  });
});

describe('a log whose bytes were changed', () => {
  let stack;
  before(async () => {
    stack = newStack('damage');
    await stack.start();
  });
  after(() => stack?.stop());

  async function changeFile(change) {
    await stack.daemon.end();
    fs.writeFileSync(stack.logFile, change(fs.readFileSync(stack.logFile)));
    await stack.startDaemon();
    await until('events are taken again', async () => (await stack.post({ ep: ['x'], e: { type: 'x' } })).status === 200);
  }

  test('what lies before the change is not replayed, what lies behind it is, and both are said', async () => {
    const client = await stack.subscribe(['a']);
    const ids = [];
    for (let i = 0; i < 9; i++) {
      ids.push((await stack.publish('a', `event-${i}`)).id);
    }
    await changeFile((bytes) => {
      const at = bytes.indexOf('event-4');
      assert.ok(at > 0);
      bytes[at + 6] = '5'.charCodeAt(0);
      return bytes;
    });
    await stack.daemon.untilLog(/events on disk are damaged/);
    const all = await stack.subscribe({ ep: ['a'], last_id: client.connected.id });
    assert.equal(all.connected.recovered, false);
    const some = await stack.subscribe({ ep: ['a'], last_id: ids[5] });
    assert.equal(some.connected.recovered, true);
    await stack.publish('a', 'last');
    assert.deepEqual(types(await all.takeUntil('last')), ['connected', 'event-5', 'event-6', 'event-7', 'event-8', 'last']);
    assert.deepEqual(types(await some.takeUntil('last')), ['connected', 'event-6', 'event-7', 'event-8', 'last']);
    await all.close();
    await some.close();
  });

  test('a file that is no log any more is set aside, and a new one begun', async () => {
    const client = await stack.subscribe(['a']);
    const old = client.connected.id;
    const [epoch] = old.split('-');
    await changeFile((bytes) => bytes.fill(0x55, 0, 4096));
    await stack.daemon.untilLog(/the event log on disk is damaged: it is set aside/);
    assert.equal(fs.readdirSync(stack.folder).filter((name) => /^log\.damaged-\d+$/.test(name)).length, 1);
    const back = await stack.subscribe({ ep: ['a'], last_id: old });
    assert.equal(back.connected.recovered, false);
    assert.notEqual(back.connected.id.split('-')[0], epoch);
    await stack.publish('a', 'last');
    assert.deepEqual(types(await back.takeUntil('last')), ['connected', 'last']);
    await back.close();
  });
});
