'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { runCgi } = require('./lib/cgi');

// Key pairs as curve_keygen makes them.
const DAEMON = {
  publicKey: 'Gc-ox*dU+{613c@k1FpY4vwTOI(r)!eg<)m9)742',
  secretKey: 'ejigVq$QBN6F+yIF0<Fg:.]7@t-DOQ6jDq$OqCtX',
};
const OTHER = { publicKey: 'zQx/8+VQvHkL5OH9#+C7Yf*sS*h$gid/^f9vN8zt' };

describe('a bus over TCP with keys', () => {
  let stack;
  let client;
  before(async () => {
    const [events, acks] = [await freePort(), await freePort()];
    stack = new Stack('curve', { handlers: 2, workers: 2, engine: 'zeromq' });
    for (const [name, key] of Object.entries({ ...DAEMON, other: OTHER.publicKey })) {
      fs.writeFileSync(path.join(stack.folder, name), `${key}\n`, { mode: 0o600 });
    }
    stack.config.bus = {
      events: `tcp://127.0.0.1:${events}`,
      acks: `tcp://127.0.0.1:${acks}`,
      public_key_file: path.join(stack.folder, 'publicKey'),
      secret_key_file: path.join(stack.folder, 'secretKey'),
    };
    await stack.start();
    client = await stack.subscribe(['a']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  /** A configuration of the same bus with changes. */
  function changed(name, bus) {
    const text = fs.readFileSync(stack.file, 'utf8');
    const file = path.join(stack.folder, name);
    const lines = text.split('\n').map((line) => {
      const key = line.split(' = ')[0];
      return key in bus ? (bus[key] === null ? '' : `${key} = ${bus[key]}`) : line;
    });
    fs.writeFileSync(file, lines.join('\n'));
    return file;
  }

  const event = JSON.stringify({ ep: ['a'], e: { type: 'x' } });

  test('carries events of several handlers', async () => {
    for (let i = 0; i < 20; i++) {
      assert.equal((await stack.post({ ep: ['a'], e: { type: 'n', detail: i } }, { handler: i % 2 })).status, 200);
    }
    const [frames] = await stack.drain('a', client);
    const numbers = frames.filter((frame) => frame.json.e.type === 'n').map((frame) => frame.json.e.detail);
    assert.deepEqual(numbers, Array.from({ length: 20 }, (_, i) => i));
  });

  test('a handler needs the public key alone', async () => {
    const file = changed('handler.conf', { secret_key_file: null });
    const answer = await runCgi(file, { query: `token=${stack.publishToken}`, body: event });
    assert.equal(answer.status, 200, answer.text + answer.stderr);
    await client.takeUntil('x');
  });

  test('no key or a wrong one: nothing gets in, and the post says 503', async () => {
    for (const [name, bus] of [
      ['nokey.conf', { public_key_file: null, secret_key_file: null }],
      ['wrong.conf', { public_key_file: path.join(stack.folder, 'other'), secret_key_file: null }],
    ]) {
      const file = changed(name, bus);
      const answer = await runCgi(file, { query: `token=${stack.publishToken}`, body: event });
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.headers['retry-after'], /^\d+$/);
    }
    const [frames] = await stack.drain('a', client);
    assert.equal(frames.filter((frame) => frame.json.e.type === 'x').length, 0);
  });
});

describe('a daemon for some topics only', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('prefix', {
      engine: 'zeromq',
      handlers: 1,
      config: { bus: { topics: 'casa/ stack/' }, publish: { time_limit: '300ms' } },
    });
  });
  after(() => stack?.stop());

  test('takes those, and nobody claims the others were had', async () => {
    const client = await stack.subscribe(['#']);
    await stack.publish('casa/x', 'mine');
    const answer = await stack.post({ ep: ['taller/x'], e: { type: 'other' } });
    assert.equal(answer.status, 503);
    await stack.publishInTheEnd('casa/x', 'last');
    const frames = await client.takeUntil('last');
    assert.deepEqual(frames.map((frame) => frame.json.e.type), ['connected', 'mine', 'last']);
    await client.close();
  });
});

describe('two ways to one daemon', () => {
  let stack;
  before(async () => {
    const port = await freePort();
    const acks = await freePort();
    stack = new Stack('ways', { handlers: 1, engine: 'zeromq' });
    stack.config.bus = {
      events: `ipc://${stack.folder}/events tcp://127.0.0.1:${port}`,
      acks: `ipc://${stack.folder}/acks tcp://127.0.0.1:${acks}`,
    };
    await stack.start();
    stack.tcp = { events: `tcp://127.0.0.1:${port}`, acks: `tcp://127.0.0.1:${acks}` };
  });
  after(() => stack?.stop());

  test('an event that takes both arrives once, one that takes either arrives', async () => {
    const client = await stack.subscribe(['a']);
    for (let i = 0; i < 50; i++) {
      await stack.publish('a', 'n', i);
    }
    const remote = path.join(stack.folder, 'remote.conf');
    const text = fs.readFileSync(stack.file, 'utf8').replace(/^events = .*$/m, `events = ${stack.tcp.events}`);
    fs.writeFileSync(remote, text.replace(/^acks = .*$/m, `acks = ${stack.tcp.acks}`));
    const emitted = await run([programs.esnctl, 'emit', '--config', remote, 'a', 'n', '50']);
    assert.equal(emitted.code, 0, emitted.stderr);
    const [frames] = await stack.drain('a', client);
    const numbers = frames.filter((frame) => frame.json.e.type === 'n').map((frame) => frame.json.e.detail);
    assert.deepEqual(numbers, Array.from({ length: 51 }, (_, i) => i));
    await client.close();
  });
});
