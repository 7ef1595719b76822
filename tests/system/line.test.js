'use strict';

// The bent line that other tests put between two parts does what it says.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, afterEach, before, describe, test } = require('node:test');
const { Line } = require('../lib/line');
const { request } = require('./lib/http');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');

describe('a line between a client and the daemon', () => {
  let stack;
  let line;
  let subscriber;
  const subscribe = async (body = ['a']) => (subscriber = await Subscriber.open(`${line.url}/`, body));
  const healthz = () => request(`${line.url}/healthz`, { agent: false });
  before(async () => {
    stack = await Stack.start('line', { handlers: 1 });
    line = await Line.start(stack.port);
  });
  after(async () => {
    await line?.stop();
    await stack?.stop();
  });
  afterEach(async () => {
    line.delay = 0;
    line.flow();
    await line.up();
    line.cut();
    await stack.untilTotal(0);
  });

  test('events come through in order, a close on either side too', async () => {
    await subscribe();
    for (let i = 0; i < 50; i++) await stack.publish('a', `event-${i}`);
    await subscriber.takeUntil('event-49');
    await subscriber.close();
    await stack.untilTotal(0);
    await until('nothing is left of it', () => line.connections.size === 0);
    await subscribe();
    const { connid, secret } = subscriber;
    const successor = await stack.subscribe({ ep: ['a'], connid, secret });
    await subscriber.ended();
    await successor.close();
  });

  test('each byte is late', async () => {
    line.delay = 200;
    const began = performance.now();
    assert.equal((await healthz()).status, 200);
    assert.ok(performance.now() - began >= 400);
  });

  test('it is late in order while it gets faster', async () => {
    await subscribe();
    for (line.delay = 100; line.delay > 0; line.delay -= 10) await stack.publish('a', `late-${line.delay}`);
    await stack.publish('a', 'last');
    const types = (await subscriber.takeUntil('last')).map(({ json }) => json.e.type);
    assert.deepEqual(types.slice(1, -1), [100, 90, 80, 70, 60, 50, 40, 30, 20, 10].map((delay) => `late-${delay}`));
  });

  test('more than the line holds comes through whole', async () => {
    await subscribe();
    line.stand();
    const text = 'x'.repeat(100_000);
    for (let i = 0; i < 20; i++) await stack.publish('a', 'long', text);
    line.flow();
    await stack.publish('a', 'last');
    const frames = await subscriber.takeUntil('last');
    assert.equal(frames.filter(({ json }) => json.e.detail === text).length, 20);
  });

  test('cut: both sides see it, the next comes through', async () => {
    await subscribe();
    line.cut();
    await subscriber.over;
    await stack.untilTotal(0);
    assert.equal((await healthz()).status, 200);
  });

  test('down: nobody is there, until it is up', async () => {
    await line.down();
    await assert.rejects(healthz(), { code: 'ECONNREFUSED' });
    await line.up();
    assert.equal((await healthz()).status, 200);
  });

  test('standing: neither side sees anything; flowing again, all of it', async () => {
    await subscribe();
    line.stand();
    await stack.publish('a', 'held back');
    await subscriber.close();
    assert.equal((await stack.look('/connections'))['@TOTAL@'], 1);
    line.flow();
    await stack.untilTotal(0);
  });

  for (const isCut of [true, false]) {
    test(`an answer is lost, and the connection ${isCut ? 'is cut' : 'stays silent'}: the server has heard the request`, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      await request(`${line.url}/healthz`, { agent });
      const happened = line.loseAnswer(/^POST \/ /, { isCut });
      assert.equal((await request(`${line.url}/healthz`, { agent })).status, 200, 'another request');
      const answer = request(`${line.url}/`, { agent, method: 'POST', body: JSON.stringify({ ep: ['a'] }) });
      const outcome = answer.then((got) => got.status, (error) => error.code ?? error.message);
      await happened;
      await stack.untilTotal(isCut ? 0 : 1);
      agent.destroy();
      assert.ok(['ECONNRESET', 'socket hang up'].includes(await outcome), await outcome);
    });
  }
});
