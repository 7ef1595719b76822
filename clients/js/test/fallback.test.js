// What stands between client and broker lets some ways through and others not.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Broker } from './lib/broker.js';
import { ALL, listen } from './lib/listener.js';
import { until } from './lib/wait.js';

let broker;
let listener;
afterEach(async () => {
  await listener.client.close();
  await broker.close();
});

const cases = [
  { closed: ['ws'], mute: [], by: 'frames' },
  { closed: ['ws'], mute: ['frames'], by: 'sse' },
  { closed: ['ws'], mute: ['frames', 'sse'], by: 'poll' },
  { closed: [], mute: ['ws', 'frames'], by: 'sse' },
  { closed: [], mute: ['ws', 'frames', 'sse'], by: 'poll' },
  { closed: ['ws', 'frames', 'sse'], mute: [], by: 'poll' },
];

for (const { closed, mute, by } of cases) {
  test(`closed: ${closed.join() || 'none'}, buffered: ${mute.join() || 'none'}: it comes by ${by}`, async (t) => {
    broker = await Broker.start({ closed, mute });
    const began = performance.now();
    // More than the default, so that a machine that stands still for a moment changes nothing.
    listener = listen({ url: broker.url, topics: ['a'], patience: mute.length ? 1500 : 60_000 });
    await listener.client.ready();
    t.diagnostic(`connected after ${Math.round(performance.now() - began)} ms`);
    assert.equal(listener.client.transport, by);
    await until('the others were given up', () => listener.meter.open <= 1);
    assert.deepEqual(listener.errors, []);
    await until('it is held', () => broker.open.size === 1);
    broker.publish('a', 'one');
    await listener.heard('one');
    // The next poll, when it is one: it would be held for its whole time if it came after the others were broken.
    await until('it is held on', () => broker.open.size === 1);
    // What works is taken at once the next time.
    const { length } = broker.requests;
    const { total } = listener.meter;
    broker.breakAll();
    await until('it is held again', () => listener.meter.total > total && broker.open.size === 1);
    await listener.client.ready();
    assert.equal(listener.client.transport, by);
    assert.ok(broker.requests.slice(length).every(({ path }) => path === (by === 'poll' ? 'poll' : '')));
  });
}

test('three ways that hang are waited for once each, one after the other, and the fourth is taken', async () => {
  const patience = 600;
  broker = await Broker.start({ mute: ['ws', 'frames', 'sse'] });
  const began = performance.now();
  listener = listen({ url: broker.url, topics: ['a'], patience });
  await listener.client.ready();
  assert.ok(performance.now() - began > patience, 'none is given up before its time');
  assert.equal(listener.client.transport, 'poll');
  assert.deepEqual(broker.requests.map(({ path }) => path), ['', '', 'poll'], 'a WebSocket is no request that the broker notes');
});

test('when all are buffered it goes on trying, with more patience', async () => {
  broker = await Broker.start({ mute: ALL });
  listener = listen({ url: broker.url, topics: ['a'], patience: 20 });
  await until('it has tried all of them twice', () => broker.requests.filter(({ path }) => path === 'poll').length === 2);
  assert.equal(listener.errors[0].kind, 'mute');
  broker.mute = [];
  await listener.client.ready();
  await until('the others were given up', () => listener.meter.open <= 1);
});

test('a slow line is not taken for a buffer for ever', async () => {
  broker = await Broker.start();
  const slowly = async (url, init) => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    return fetch(url, init);
  };
  listener = listen({ url: broker.url, topics: ['a'], transports: ['frames'], patience: 40, fetch: slowly });
  await listener.client.ready();
});

/** The times of all timers that are begun while the test goes on. */
function timersOf(t) {
  const begin = globalThis.setTimeout;
  const times = [];
  t.mock.method(globalThis, 'setTimeout', (then, time, ...words) => {
    times.push(time);
    return begin(then, time, ...words);
  });
  return times;
}

test('a better way that was found is looked for as soon the next time', async (t) => {
  const times = timersOf(t);
  const betterTime = 41; // no other timer's
  broker = await Broker.start({ closed: ['ws'] });
  listener = listen({ url: broker.url, topics: ['a'], transports: ['ws', 'frames'], betterTime });
  await listener.client.ready();
  broker.closed = [];
  await until('it comes by a better way', () => listener.client.transport === 'ws');
  await until('it is held', () => broker.open.size === 1);
  broker.closed = ['ws'];
  broker.breakAll();
  await until('it comes by the other one', () => listener.client.transport === 'frames');
  assert.equal(times.filter((time) => time === betterTime).length, 2);
});

test('who looks for a better way does not look for a still better one', async (t) => {
  const times = timersOf(t);
  broker = await Broker.start({ closed: ['ws', 'frames'] });
  listener = listen({ url: broker.url, topics: ['a'], transports: ['ws', 'frames', 'sse'], betterTime: 41 });
  await listener.client.ready();
  broker.closed = ['ws'];
  await until('it comes by a better way', () => listener.client.transport === 'frames');
  assert.deepEqual(times.filter((time) => time > 2 ** 31 - 1), []);
});

for (const never of [Infinity, 3e9]) {
  test(`what shall happen after ${never} ms does not happen at once`, async (t) => {
    const times = timersOf(t);
    broker = await Broker.start({ closed: ['ws'] });
    const long = { silence: never, betterTime: never, hiddenTime: never, maxBackoff: never };
    listener = listen({ url: broker.url, topics: ['a'], transports: ['ws', 'frames'], ...long });
    await listener.client.ready();
    broker.publish('a', 'one');
    await listener.heard('one');
    assert.deepEqual(times.filter((time) => time > 2 ** 31 - 1), []);
    assert.deepEqual(listener.errors, []);
  });
}

test('without a WebSocket of the platform the others are taken', async () => {
  broker = await Broker.start();
  listener = listen({ url: broker.url, WebSocket: undefined });
  await listener.client.ready();
  assert.equal(listener.client.transport, 'frames');
});

test('an option that is undefined has its default', async () => {
  broker = await Broker.start();
  listener = listen({ url: broker.url, topics: ['a'], transports: undefined, silence: undefined, renew: undefined, fetch: undefined });
  await listener.client.ready();
  assert.equal(listener.client.transport, 'ws');
});

test('Retry-After is kept to, and nobody else is tried meanwhile', async () => {
  broker = await Broker.start({ answer: () => ({ status: 503, error: 'Stopping', headers: { 'Retry-After': '1' } }) });
  const began = Date.now();
  listener = listen({ url: broker.url, transports: ['frames', 'sse'], topics: ['a'] });
  await until('it was refused', () => listener.errors.length === 1);
  broker.answer = undefined;
  await listener.client.ready();
  assert.ok(Date.now() - began >= 1000);
  assert.equal(broker.requests.length, 2);
  assert.deepEqual([listener.errors[0].kind, listener.errors[0].status], ['down', 503]);
});

test('nobody there: it waits for the broker, then connects', async () => {
  broker = await Broker.start();
  const { port } = broker;
  await broker.close();
  listener = listen({ url: broker.url, topics: ['a'], clid: 'patient' });
  await until('it has failed five times', () => listener.errors.length >= 5);
  assert.ok(listener.errors.every(({ kind }) => kind === 'down'));
  broker = await Broker.start({ port });
  await listener.client.ready();
  assert.equal(listener.meter.peak, 1);
});

test('a log that was begun anew: all of it is heard, nothing of before again', async () => {
  broker = await Broker.start();
  listener = listen({ url: broker.url, topics: ['a'], transports: ['frames'] });
  await listener.client.ready();
  broker.publish('a', 'one');
  await listener.heard('one');
  const { port } = broker;
  await broker.close();
  broker = await Broker.start({ port, epoch: 2000 });
  broker.publish('a', 'two');
  await listener.heard('two');
  assert.deepEqual(listener.types(), ['one', 'two']);
  assert.equal(listener.client.lastId, '2000-1');
});

test('an answer that says it is JSON and is not is told as that of something else', async () => {
  broker = await Broker.start();
  const fetch = async () => new Response('{"events": [', { headers: { 'content-type': 'application/json' } });
  listener = listen({ url: broker.url, topics: ['a'], transports: ['poll'], fetch });
  await until('it is told', () => listener.errors.length > 0);
  assert.equal(listener.errors[0].kind, 'unfit');
  assert.match(listener.errors[0].message, /JSON/);
});
