'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

after(() => RawConnection.destroyAll());

/** The answer of a connection that is refused before anything was asked. */
async function refusalOf(connection) {
  const answer = await connection.answer();
  await connection.closed();
  return answer;
}

describe('connections of one address', () => {
  let stack;
  beforeEach(async () => {
    stack = await Stack.start('address', { handlers: 1, config: { fanout: { max_connections_per_address: 3 } } });
  });
  afterEach(() => stack?.stop());

  const from = (localAddress) => RawConnection.open(stack.port, { localAddress });

  test('one too many is answered 503 and counted, other addresses are not concerned', async () => {
    const held = [await from('127.0.0.2'), await from('127.0.0.2'), await from('127.0.0.2')];
    await until('they are accepted', async () => (await stack.look('/state')).sockets >= held.length + 1);
    const refused = await refusalOf(await from('127.0.0.2'));
    assert.equal(refused.status, 503);
    assert.deepEqual(JSON.parse(refused.text), { error: 'Too many connections from this address' });
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal(refused.headers['access-control-allow-origin'], '*');
    await stack.daemon.untilLog(/connection refused reason=address address=127\.0\.0\.2\n/);
    const other = await from('127.0.0.3');
    await other.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await other.answer()).status, 200);
    assert.equal((await stack.look('/state')).closed.address, 1);

    held[0].destroy();
    await until('there is room for another one', async () => {
      const again = await from('127.0.0.2');
      await again.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      return (await again.answer()).status === 200;
    });
    [...held, other].forEach((connection) => connection.destroy());
  });

  test('the unix socket has no address', async () => {
    const streams = await Promise.all(
      Array.from({ length: 6 }, () => stack.subscribe(['a'], { socketPath: stack.socketPath })),
    );
    await Promise.all(streams.map((stream) => stream.close()));
  });

  test('without the key nobody is counted', async () => {
    stack.writeConfig({ fanout: { max_connections_per_address: 0 } });
    stack.daemon.signal('SIGHUP');
    await stack.daemon.untilLog(/configuration reloaded/);
    const streams = await Promise.all(Array.from({ length: 20 }, () => stack.subscribe(['a'])));
    await Promise.all(streams.map((stream) => stream.close()));
  });
});

describe('no descriptors left', () => {
  const SPARE = 20;
  const FLOOD = 300;
  let stack;
  before(async () => {
    stack = await Stack.start('descriptors', { handlers: 1 });
  });
  after(() => stack?.stop());

  const descriptors = () => fs.readdirSync(`/proc/${stack.daemon.pid}/fd`).length;
  const setLimit = (limit) =>
    run([tool('prlimit', 'util-linux'), '--pid', String(stack.daemon.pid), `--nofile=${limit}:`]);
  const lines = (pattern) => stack.daemon.output().match(new RegExp(pattern, 'g'))?.length ?? 0;

  test('new clients are refused or wait, those who are there have every event, and the log says it once', async () => {
    const healthy = await Promise.all(Array.from({ length: 5 }, () => stack.subscribe(['a'])));
    assert.equal((await setLimit(descriptors() + SPARE)).code, 0);
    const flood = await Promise.all(Array.from({ length: FLOOD }, () => RawConnection.open(stack.port)));
    await stack.daemon.untilLog(/no descriptors left/);
    for (let i = 0; i < 100; i++) {
      await stack.publish('a', 'n', i);
    }
    for (const frames of await stack.drain('a', ...healthy)) {
      const numbers = frames.filter((frame) => frame.json.e.type === 'n').map((frame) => frame.json.e.detail);
      assert.deepEqual(numbers, Array.from({ length: 100 }, (_, i) => i));
    }
    const refused = await until('some are told so', () => flood.filter((one) => one.pending.includes('503')).length);
    assert.ok(refused > 0);
    assert.equal(lines('no descriptors left'), 1);
    assert.equal(lines('are accepted again'), 0);

    flood.forEach((one) => one.destroy());
    await stack.daemon.untilLog(/are accepted again/);
    const late = await stack.subscribe(['a']);
    await stack.publish('a', 'late');
    await late.takeUntil('late');
    assert.equal(lines('no descriptors left'), 1);
    await Promise.all([late, ...healthy].map((client) => client.close()));
    await stack.untilTotal(0);
  });
});
