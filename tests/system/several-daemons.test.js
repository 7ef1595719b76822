'use strict';

// Three daemons on one Redis: what clients of each see of those of the others.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { newFolder } = require('./lib/paths');
const { Redis } = require('./lib/redis');
const { Relay } = require('./lib/relay');
const { Stack } = require('./lib/stack');
const { Upgradable } = require('./lib/upgrades');
const { until } = require('./lib/wait');

const untilReady = (node) => until('it serves', async () => (await node.get('/readyz')).status === 200);

describe('three daemons', () => {
  let folder, redis, nodes;
  before(async () => {
    folder = newFolder('several');
    redis = await Redis.start(folder, { words: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const shared = { engine: 'redis', redis, config: { bus: { lease: '1s', receivers_time: '10s' }, fanout: { stop_spread: '100ms' } } };
    nodes = await Promise.all([
      Stack.start('several-1', { ...shared, handlers: 1 }),
      Upgradable.start('several-2', shared),
      Stack.start('several-3', shared),
    ]);
    await Promise.all(nodes.map((node) => untilReady(node)));
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.program.end();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const living = async (node) => (await node.look('/state')).node.nodes.map(({ node: number }) => number);
  const presence = (watcher) =>
    watcher.frames.filter(({ json }) => json.ep.emitted.startsWith('@CONNECTION@/')).map(({ json }) => [json.ep.emitted.slice(13), json.e.type, Number(json.e.detail.clid_instances)]);
  const last = (watcher, clid) => presence(watcher).filter(([of]) => of === clid).at(-1)?.[2];
  const untilCounted = (watcher, clid, count) => watcher.until(`${clid} is there ${count} times`, () => last(watcher, clid) === count);

  test('have numbers of their own, one epoch, and know each other', async () => {
    const states = await Promise.all(nodes.map((node) => node.look('/state')));
    assert.equal(new Set(states.map(({ node }) => node.number)).size, 3);
    assert.equal(new Set(states.map(({ epoch }) => epoch)).size, 1);
    for (const node of nodes) {
      await until('all three are known', async () => (await living(node)).length === 3);
    }
  });

  test('give an event one id, and count the receivers of all', async () => {
    const streams = await Promise.all(nodes.map((node) => node.subscribe(['a'])));
    const answer = await nodes[0].publish('a', 'for all');
    assert.equal(answer.receivers, 3);
    for (const stream of streams) {
      const [frame] = await stream.takeUntil('for all').then((frames) => frames.slice(-1));
      assert.equal(frame.json.id, answer.id);
      await stream.close();
    }
  });

  test('reach a stream with a whisper wherever it is, and leave it out wherever it is', async () => {
    const [one, other] = await Promise.all([nodes[1].subscribe(['w']), nodes[2].subscribe(['w'])]);
    const post = async (ep, type) => assert.equal((await nodes[0].post({ ep: [ep], e: { type } })).json.receivers, 1);
    await post({ topic: 'w', whisper: one.connid }, 'to one');
    await post({ topic: 'w', except: other.connid }, 'to all but the other');
    const [heard, nothing] = await nodes[0].drain('w', one, other);
    assert.deepEqual(heard.map(({ json }) => json.e.type).slice(-2), ['to one', 'to all but the other']);
    assert.deepEqual(nothing.filter(({ json }) => json.e.type.startsWith('to ')), []);
    await Promise.all([one.close(), other.close()]);
  });

  test('sum presence up, of clients without a name too', async () => {
    const watcher = await nodes[0].subscribe({ ep: ['@CONNECTION@/tab', '@CONNECTION@/+'], clid: 'watcher' });
    const streams = [];
    for (const [at, node] of nodes.entries()) {
      streams.push(await node.subscribe({ ep: ['p'], clid: 'tab' }), await node.subscribe(['p']));
      await untilCounted(watcher, 'tab', at + 1);
      await untilCounted(watcher, '@ANON_CONNECTION@', at + 1);
    }
    await until('all are counted everywhere', async () => {
      const counts = await Promise.all(nodes.map((node) => node.look('/connections')));
      return counts.every((count) => count.tab === 3 && count['@ANON_CONNECTION@'] === 3 && count.watcher === 1 && count['@TOTAL@'] === 7);
    });
    const later = await nodes[2].subscribe(['@CONNECTION@/tab']);
    await later.until('what is there', () => presence(later).length > 0);
    assert.deepEqual(presence(later), [['tab', 'available', 3]]);
    for (const stream of streams) {
      await stream.close();
    }
    await later.close();
    await untilCounted(watcher, 'tab', 0);
    await untilCounted(watcher, '@ANON_CONNECTION@', 0);
    await watcher.close();
  });

  test('take a client over from each other as the same one, with what it missed', async () => {
    const watcher = await nodes[2].subscribe({ ep: ['@CONNECTION@/wanderer'], clid: 'watcher' });
    let stream = await nodes[0].subscribe({ ep: ['m'], clid: 'wanderer' });
    const { connid } = stream;
    let { secret } = stream;
    let lastId = stream.connected.id;
    for (const [round, node] of [nodes[1], nodes[2], nodes[0], nodes[1]].entries()) {
      const before = stream;
      assert.equal((await nodes[0].post({ ep: [{ topic: 'm', whisper: connid }], e: { type: `whisper ${round}` } })).status, 200);
      stream = await node.subscribe({ ep: ['m'], clid: 'wanderer', connid, secret, last_id: lastId });
      assert.equal(stream.connid, connid);
      assert.equal(stream.connected.recovered, true);
      ({ secret } = stream);
      const frames = await stream.takeUntil(`whisper ${round}`);
      lastId = frames.at(-1).json.id;
      await until('what it left has ended', () => before.isOver);
    }
    await until('it is there once', async () => (await nodes[2].look('/connections')).wanderer === 1);
    await untilCounted(watcher, 'wanderer', 1);
    await stream.close();
    await untilCounted(watcher, 'wanderer', 0);
    await watcher.close();
  });

  test('go on through an upgrade of one of them, which nobody sees', async () => {
    const [, upgraded] = nodes;
    const watcher = await nodes[0].subscribe({ ep: ['@CONNECTION@/stays', 'u'], clid: 'watcher' });
    const stays = await upgraded.subscribe({ ep: ['u', '@CONNECTION@/elsewhere'], clid: 'stays' });
    const elsewhere = await nodes[2].subscribe({ ep: ['u'], clid: 'elsewhere' });
    await untilCounted(watcher, 'stays', 1);
    await untilCounted(stays, 'elsewhere', 1);
    const { number } = (await upgraded.look('/state')).node;
    await upgraded.upgrade();
    const state = await upgraded.look('/state');
    assert.equal(state.node.number, number);
    await until('it has asked the others', async () => (await upgraded.look('/state')).node.tables_wanted === 0);
    for (const type of ['first', 'second']) {
      assert.equal((await nodes[0].publish('u', type)).receivers, 3);
    }
    const here = await upgraded.subscribe({ ep: ['u'], clid: 'stays' });
    await untilCounted(watcher, 'stays', 2);
    await here.close();
    await untilCounted(watcher, 'stays', 1);
    assert.deepEqual(presence(watcher).map(([, , count]) => count), [0, 1, 2, 1]);
    assert.deepEqual(presence(stays).map(([, , count]) => count).slice(-1), [1]);
    assert.ok(presence(stays).every(([, , count]) => count <= 1));
    await elsewhere.close();
    await untilCounted(stays, 'elsewhere', 0);
    await Promise.all([stays.close(), watcher.close()]);
  });

  test('count one that was killed no more, and count it anew when it is back', async () => {
    const [, , dies] = nodes;
    const watcher = await nodes[0].subscribe({ ep: ['@CONNECTION@/many', '@CONNECTION@/+'], clid: 'watcher' });
    const streams = await Promise.all(Array.from({ length: 20 }, (_, i) => dies.subscribe({ ep: ['k'], clid: i % 2 ? 'many' : `one ${i}` })));
    const other = await nodes[1].subscribe({ ep: ['k'], clid: 'many' });
    await untilCounted(watcher, 'many', 11);
    await dies.daemon.end('SIGKILL');
    await untilCounted(watcher, 'many', 1);
    for (let i = 0; i < 20; i += 2) {
      await untilCounted(watcher, `one ${i}`, 0);
    }
    await until('it is known to be gone', async () => (await living(nodes[0])).length === 2);
    // Nobody is waited for who is not there.
    assert.equal((await nodes[0].publish('k', 'without it')).complete ?? true, true);
    await Promise.all(streams.map(({ over }) => over));
    await dies.startDaemon();
    await untilReady(dies);
    const again = await dies.subscribe({ ep: ['k'], clid: 'many' });
    await untilCounted(watcher, 'many', 2);
    const watcherThere = await dies.subscribe(['@CONNECTION@/many']);
    await watcherThere.until('what is there', () => presence(watcherThere).length > 0);
    await untilCounted(watcherThere, 'many', 2);
    await Promise.all([again, other, watcher, watcherThere].map((stream) => stream.close()));
  });

  test('give who begins later the last values, and who comes back what was published before it started', async () => {
    const [, , late] = nodes;
    assert.equal((await nodes[0].post({ ep: [{ topic: 'v', keep: true }], e: { type: 'kept', detail: 1 } })).status, 200);
    const { id } = await nodes[0].publish('v', 'before');
    await late.daemon.end();
    await nodes[0].publish('v', 'meanwhile');
    await late.startDaemon();
    await untilReady(late);
    const [first, back] = [await late.subscribe(['v']), await late.subscribe({ ep: ['v'], last_id: id })];
    const kept = await first.until('the last value', () => first.frames.find(({ json }) => json.kept));
    assert.equal(kept.json.e.type, 'kept');
    assert.equal(back.connected.recovered, true);
    await back.takeUntil('meanwhile');
    await Promise.all([first.close(), back.close()]);
  });
});

const types = (frames) => frames.map(({ json }) => json.e.type);
/** All that a client has been given over several streams, each of which goes on where the one before was. */
const events = (...streams) => types(streams.flatMap(({ frames }) => frames).filter(({ json }) => json.ep.emitted === 't'));

/** Comes back until it is taken, with what the stream before it had last. */
const comeBack = (node, stream) =>
  until('it is taken again', () => node.subscribe({ ep: ['t'], last_id: stream.frames.at(-1).json.id, connid: stream.connid, secret: stream.secret }));

describe('when Redis is away', () => {
  const shared = (to, { cut_time = '0', ...more } = {}) => ({
    engine: 'redis',
    redis: to,
    ...more,
    config: { bus: { lease: '1s', receivers_time: '50ms', cut_time }, fanout: { stop_spread: '100ms', retry_time: '100ms' }, redis: { url: to.url, time_limit: '200ms' } },
  });
  let folder, redis, relay, nodes;
  const begin = async (label, words) => {
    folder = newFolder(label);
    redis = await Redis.start(folder, { words });
    nodes = [];
  };
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await relay?.stop();
    relay = undefined;
    await redis.program.end();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('and says nothing, for a while: posts are refused, streams stay, and go on when it is back', async () => {
    await begin('mute', []);
    const patient = { cut_time: '1h' };
    nodes = await Promise.all([Stack.start('mute-1', shared(redis, { handlers: 1, ...patient })), Stack.start('mute-2', shared(redis, patient))]);
    await Promise.all(nodes.map(untilReady));
    const streams = await Promise.all(nodes.map((node) => node.subscribe({ ep: ['t'] })));
    await nodes[0].publish('t', 'before');
    redis.program.signal('SIGSTOP');
    assert.equal((await nodes[0].post({ ep: ['t'], e: { type: 'in doubt' } })).status, 503);
    for (const node of nodes) {
      await until('it is cut off', async () => (await node.get('/readyz')).status === 503);
    }
    redis.program.signal('SIGCONT');
    await Promise.all(nodes.map(untilReady));
    await nodes[0].publishInTheEnd('t', 'after');
    for (const stream of streams) {
      await stream.until('what came after', () => events(stream).includes('after'));
      // What a Redis that stood still was sent it takes when it goes on.
      assert.match(events(stream).join(), /^before,(in doubt,)?after$/);
      await stream.close();
    }
  });

  test('for one daemon: its clients are moved, none of them loses anything, and it serves again', async () => {
    await begin('cut', []);
    relay = await Relay.start(path.join(folder, 'relay'), redis.socket);
    nodes = [await Stack.start('cut-1', shared(redis, { handlers: 1 }))];
    nodes.push(await Stack.start('cut-2', shared({ url: `unix:${relay.path}` })));
    await Promise.all(nodes.map(untilReady));
    const watcher = await nodes[0].subscribe(['@CONNECTION@/moved']);
    const stream = await nodes[1].subscribe({ ep: ['t'], clid: 'moved' });
    await nodes[0].publish('t', 'before');
    await stream.until('the event of before', () => events(stream).length === 1);
    relay.mute(true);
    const refused = await until('it takes nobody', async () => {
      const answer = await nodes[1].get('/readyz');
      return answer.status === 503 && answer;
    });
    assert.match(refused.text, /Cut off from the other daemons/);
    await stream.over;
    assert.equal(stream.frames.at(-1).json.e.type, 'stopping');
    const answer = await nodes[1].post({ ep: ['t'] }, { url: `${nodes[1].url}/` });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '1');
    await watcher.until('it is not there', () => Number(watcher.frames.at(-1).json.e.detail.clid_instances) === 0);
    await nodes[0].publish('t', 'meanwhile');
    const moved = await comeBack(nodes[0], stream);
    assert.equal(moved.connid, stream.connid);
    assert.equal(moved.connected.recovered, true);
    await nodes[0].publish('t', 'moved');
    await moved.until('both', () => events(moved).length === 2);
    const left = moved.frames.at(-1);
    relay.mute(false);
    await untilReady(nodes[1]);
    const back = await comeBack(nodes[1], { frames: [left], connid: moved.connid, secret: moved.secret });
    await moved.over;
    await nodes[0].publish('t', 'after');
    await back.until('the last one', () => events(back).length === 1);
    assert.deepEqual(events(stream, moved, back), ['before', 'meanwhile', 'moved', 'after']);
    await Promise.all([back.close(), watcher.close()]);
  });

  test('and comes back without its newest events: each client learns that it may have missed something, and ids are not repeated', async () => {
    await begin('lost', ['--save', '']);
    nodes = await Promise.all([Stack.start('lost-1', shared(redis, { handlers: 1 })), Stack.start('lost-2', shared(redis))]);
    await Promise.all(nodes.map(untilReady));
    const streams = await Promise.all(nodes.map((node) => node.subscribe({ ep: ['t'] })));
    const { id } = await nodes[0].publish('t', 'lost by Redis');
    assert.equal((await nodes[0].post({ ep: [{ topic: 'kept', keep: true }], e: { type: 'kept', detail: 7 } })).status, 200);
    for (const stream of streams) {
      await stream.takeUntil('lost by Redis');
    }
    await redis.program.end('SIGKILL');
    await redis.start();
    await Promise.all(streams.map(({ over }) => over));
    for (const stream of streams) {
      assert.equal(stream.frames.at(-1).json.e.type, 'stopping');
      assert.ok(stream.frames.every(({ json }) => json.id.split('-')[0] === id.split('-')[0]));
    }
    await nodes[0].publishInTheEnd('t', 'anew');
    const back = [await comeBack(nodes[1], streams[0]), await comeBack(nodes[0], streams[1])];
    for (const stream of back) {
      assert.equal(stream.connected.recovered, false);
      await stream.until('what is new', () => events(stream).includes('anew'));
      const [epoch, sequence] = stream.connected.id.split('-').map(Number);
      assert.ok(epoch > Number(id.split('-')[0]) && sequence > Number(id.split('-')[1]), stream.connected.id);
      await stream.close();
    }
    const later = await nodes[0].subscribe(['kept', 't']);
    const kept = await later.until('the last value', () => later.frames.find(({ json }) => json.kept));
    assert.equal(kept.json.e.detail, 7);
    await later.close();
  });
});
