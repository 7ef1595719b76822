'use strict';

// The line that tests bend, between any two parts: what is late, lost or silent there holds up who needs it, for as long as it
// is, and nobody else.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Line } = require('../lib/line');
const { BindingServer } = require('./lib/binding-server');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { MariaDb } = require('./lib/mariadb');
const { newFolder } = require('./lib/paths');
const { startProxy } = require('./lib/proxies');
const { Redis } = require('./lib/redis');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');

const DELAY = 150; // ms each way

async function taken(act) {
  const began = performance.now();
  const value = await act();
  return [performance.now() - began, value];
}

describe('a line between a handler and the daemon', () => {
  let stack;
  let lines;
  let client;
  before(async () => {
    stack = new Stack('bus-line', { engine: 'zeromq', handlers: 0, workers: 1, config: { publish: { time_limit: '2s' } } });
    await stack.start();
    lines = await Promise.all(['events', 'acks'].map((name) => Line.start(path.join(stack.folder, name))));
    // The daemon has its sockets; the handler is told of the lines.
    stack.writeConfig({ bus: { events: `ipc://${lines[0].path}`, acks: `ipc://${lines[1].path}` } });
    stack.startHandler();
    await stack.startWeb();
    client = await stack.subscribe(['a']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
    await Promise.all((lines ?? []).map((line) => line.stop()));
  });
  const post = (type, id) => stack.post({ ep: ['a'], e: { type }, ...(id && { id }) });

  test('events are late, and come', async () => {
    lines.forEach((line) => (line.delay = DELAY));
    const [time, answer] = await taken(() => post('late'));
    assert.equal(answer.status, 200, answer.text);
    assert.ok(time >= 2 * DELAY, `${time} ms`);
    lines.forEach((line) => (line.delay = 0));
    await client.takeUntil('late');
  });

  test('it stands: the post is answered 503 in its time, and said again with its id it is heard once', async () => {
    lines[1].stand(); // what the daemon has to say of it
    const refused = await post('once', 'order-1');
    assert.equal(refused.status, 503, refused.text);
    lines[1].flow();
    const again = await until('it is taken', async () => {
      const answer = await post('once', 'order-1');
      return answer.status === 200 && answer;
    });
    assert.equal(again.json.receivers, 1);
    await until('the end is taken', async () => (await post('end')).status === 200);
    const types = (await client.takeUntil('end')).map(({ json }) => json.e.type);
    assert.deepEqual(types.filter((type) => type !== 'connected'), ['once', 'end']);
  });

  test('it is cut: the handler connects again by itself', async () => {
    lines.forEach((line) => line.cut());
    await until('a post is taken again', async () => (await post('after')).status === 200);
    await client.takeUntil('after');
  });
});

describe('a line to what the handlers ask', () => {
  let folder;
  let database;
  let toDatabase;
  let binding;
  let toBinding;
  let bound;
  before(async () => {
    folder = newFolder('parts');
    database = await MariaDb.create(folder);
    toDatabase = await Line.start(database.socket);
    binding = await BindingServer.start();
    toBinding = await Line.start(binding.port);
    bound = await Bound.start({
      config: {
        acl: { ...database.config, socket: toDatabase.path, time_limit: '2s' },
        binding: { mode: 'server', url: `${toBinding.url}/binding.php`, time_limit: '2s' },
      },
    });
    await bound.add('mine', { owner: 'ana' });
  });
  after(async () => {
    await bound?.stop();
    await Promise.all([toDatabase?.stop(), toBinding?.stop()]);
    await Promise.all([binding?.stop(), database?.stop()]);
  });
  const ask = (key) => request(`${bound.url}ticket`, { method: 'POST', body: JSON.stringify({ bind_key: key, ep: ['free'] }), agent: false });
  const publish = () => bound.post({ topic: 'mine', binded: true }, { as: 'ana' });
  const anonymous = async () => (await Subscriber.open(bound.url, ['free'])).close();

  test('the binding server is late, its answer is lost, it stands: only who asks it waits', async () => {
    assert.equal((await ask('one')).status, 200);
    toBinding.delay = DELAY;
    const [time, late] = await taken(() => ask('two'));
    assert.equal(late.status, 200, late.text);
    assert.ok(time >= 2 * DELAY, `${time} ms`);
    toBinding.delay = 0;
    const lost = toBinding.loseAnswer(/three/);
    const answer = await ask('three');
    await lost;
    assert.ok([200, 503].includes(answer.status), answer.text); // asked again, or given up
    toBinding.stand();
    const waiting = ask('four');
    await anonymous();
    assert.equal((await waiting).status, 503);
    toBinding.flow();
    await until('it is asked again', async () => (await ask('five')).status === 200);
  });

  test('the database stands: who needs it is told, who does not is served', async () => {
    toDatabase.stand();
    const waiting = publish();
    await anonymous();
    assert.equal((await waiting).status, 503);
    toDatabase.flow();
    toDatabase.cut();
    await until('it is asked again', async () => (await publish()).status !== 503);
  });
});

test('a line between a proxy and the daemon, and one to Redis', async () => {
  const stack = await Stack.start('proxy-line', { handlers: 1 });
  const line = await Line.start(stack.port);
  const proxy = await startProxy('HAProxy', stack.folder, line.port);
  const redis = await Redis.start(stack.folder);
  const toRedis = await Line.start(redis.socket);
  try {
    line.delay = DELAY;
    const [time, client] = await taken(() => Subscriber.open(proxy.url, ['a']));
    assert.ok(time >= 2 * DELAY, `${time} ms`);
    await stack.publish('a', 'x');
    await client.takeUntil('x');
    line.cut();
    await client.ended();
    toRedis.delay = DELAY;
    const [asked] = await taken(() => redis.cliAt(toRedis.path, 'PING'));
    assert.ok(asked >= 2 * DELAY, `${asked} ms`);
  } finally {
    await Promise.all([line.stop(), toRedis.stop()]);
    await Promise.all([proxy.stop(), redis.stop()]);
    await stack.stop();
  }
});
