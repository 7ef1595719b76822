'use strict';

// GET /connections of many streams: written piece by piece, to whoever reads it slowly as well.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');

const STREAMS = 600;
const PADDING = 'x'.repeat(12_000);
const TOPICS = Array.from({ length: 20 }, (_, i) => `topic/${i}/é"\\`);

describe('looking at many streams', () => {
  let stack;
  let streams;
  before(async () => {
    stack = await Stack.start('report', { handlers: 1 });
    streams = [];
    for (let i = 0; i < STREAMS; i++) {
      const connection = await RawConnection.open(stack.port);
      await connection.write(
        requestText('POST', '/', {
          headers: { 'X-Padding': PADDING, 'X-Api-Key': 'hidden', 'Proxy-User': 'hidden', Cookie: 'hidden' },
          body: JSON.stringify({ clid: `client-${i % 300}`, ep: TOPICS }),
        }),
      );
      assert.equal((await connection.head()).status, 200);
      streams.push(connection);
    }
  });
  after(async () => {
    RawConnection.destroyAll();
    await stack?.stop();
  });

  const ask = async (target) => {
    const connection = await RawConnection.open(stack.port);
    connection.pause();
    await connection.write(requestText('GET', target, { headers: { Authorization: `Bearer ${stack.adminToken}` } }));
    return connection;
  };

  test('every stream is told of once, and no credential is', async () => {
    const details = await stack.look('/connections?details=true');
    assert.equal(Object.keys(details).length, STREAMS);
    for (const { address, headers, body } of Object.values(details)) {
      assert.equal(address, '127.0.0.1');
      assert.equal(headers['x-padding'], PADDING);
      assert.deepEqual([headers['x-api-key'], headers['proxy-user'], headers.cookie], ['***', '***', '***']);
      assert.deepEqual(body.ep, TOPICS);
    }
    assert.equal(Object.keys(await stack.look('/connections?details=true&clid=client-7')).length, 2);
    assert.deepEqual(await stack.look('/connections?details=true&clid=nobody'), {});
    const counts = await stack.look('/connections');
    assert.equal(counts['@TOTAL@'], STREAMS);
    assert.equal(Object.keys(counts).length, 301);
    assert.equal(counts['client-7'], 2);
  });

  test('who does not read it makes the daemon hold a piece of it, and has the rest when it reads', async () => {
    const slow = await Promise.all(Array.from({ length: 8 }, () => ask('/connections?details=true')));
    await stack.look('/state');
    const { frames } = await stack.look('/memory');
    assert.ok(frames < 2 * 1024 * 1024, `${frames} bytes are held for eight answers of ${(STREAMS * 12_000) / 1e6} MB`);
    const reading = slow[0];
    reading.resume();
    const answer = await reading.answer();
    assert.equal(Object.keys(JSON.parse(answer.text)).length, STREAMS);
    slow.forEach((connection) => connection.destroy());
  });

  test('the connection goes on after it, and one that is cut off leaves nothing', async () => {
    const connection = await RawConnection.open(stack.port);
    for (let i = 0; i < 3; i++) {
      await connection.write(requestText('GET', '/connections', { headers: { Authorization: `Bearer ${stack.adminToken}` } }));
      assert.equal(JSON.parse((await connection.answer()).text)['@TOTAL@'], STREAMS);
    }
    await connection.write(requestText('HEAD', '/connections', { headers: { Authorization: `Bearer ${stack.adminToken}` } }));
    assert.equal((await connection.answer({ hasBody: false })).status, 200);
    await connection.write(requestText('GET', '/healthz'));
    assert.equal((await connection.answer()).status, 200);
    connection.destroy();
    const cut = await ask('/connections?details=true');
    cut.destroy();
    const old = await RawConnection.open(stack.port);
    await old.write(
      requestText('GET', '/connections', { version: '1.0', headers: { Authorization: `Bearer ${stack.adminToken}` } }),
    );
    assert.equal(JSON.parse((await old.answer()).text)['@TOTAL@'], STREAMS);
  });

  test('is searched by name, user, address, topic and number, and cut off after so many', async () => {
    const find = async (match, limit) => {
      const query = new URLSearchParams({ details: 'true', match, ...(limit === undefined ? {} : { limit }) });
      return Object.keys(await stack.look(`/connections?${query}`)).map(Number);
    };
    const streams = [];
    for (const [clid, topic] of [['oven-1', 'kitchen/oven/1'], ['oven-2', 'kitchen/oven/2'], ['lamp', 'hall/+/lamp']]) {
      streams.push(await stack.subscribe({ ep: [topic, `searched/${clid}`], clid }));
    }
    const [first, second, lamp] = streams.map((stream) => stream.connid);
    assert.deepEqual((await find('oven-')).sort(), [first, second].sort());
    assert.deepEqual(await find('hall/+'), [lamp]);
    assert.deepEqual(await find('searched/oven-2'), [second]);
    assert.deepEqual(await find(String(first)), [first]);
    assert.deepEqual(await find(String(first).slice(0, -1)), [], 'a number counts as a whole');
    assert.equal((await find('searched/', 2)).length, 2);
    assert.equal((await find('searched/', 0)).length, 0);
    assert.deepEqual(await find('nowhere'), []);
    const [one] = Object.values(await stack.look(`/connections?details=true&match=${lamp}`));
    assert.equal(one.transport, 'frames');
    assert.deepEqual([one.pending_bytes, one.catching_up], [0, false]);
    assert.ok(one.ends_in_ms > 0 && one.quiet_ms >= 0);
    await Promise.all(streams.map((stream) => stream.close()));
  });
});
