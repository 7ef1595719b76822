// The class as the pages of the broker before use it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import http from 'node:http';
import { NoPollSubscriber } from './lib/client.js';
import { Broker } from './lib/broker.js';
import { pause, until } from './lib/wait.js';

let broker;
let subscriber;
let calls;
const onParsed = (text) => calls.push(['parsed', JSON.parse(text).e.type]);
const onSubscribe = () => calls.push(['subscribe']);
const onStateChange = ({ value, state }) => calls.push([state, value]);
const has = (...call) => calls.some((one) => JSON.stringify(one) === JSON.stringify(call));
const make = (request) => (subscriber = new NoPollSubscriber(request, onParsed, onSubscribe, onStateChange));
const request = (more) => ({ url: broker.url, method: 'POST', data: { clid: 'page', ep: ['a/#'] }, backoff: 20, ...more });

beforeEach(async () => {
  broker = await Broker.start();
  calls = [];
});
afterEach(async () => {
  subscriber.stop();
  subscriber.abort();
  await until('all are gone', () => broker.open.size === 0);
  await broker.close();
});

test('nothing happens before start(); then states, the word that it is subscribed, and texts of JSON', async () => {
  make(request());
  await pause(20); // for what must not come
  assert.equal(broker.requests.length, 0);
  subscriber.start();
  await until('it is subscribed', () => has('parsed', 'connected'));
  broker.publish('a/b', 'one', { n: 1 });
  await until('it is heard', () => has('parsed', 'one'));
  assert.deepEqual(calls, [
    ['WAITING', 1],
    ['CONNECTED', 2],
    ['subscribe'],
    ['parsed', 'connected'],
    ['parsed', 'one'],
  ]);
  assert.deepEqual(broker.begun[0].body.clid, 'page');
});

test('the text of a frame is as the broker wrote it', async () => {
  const texts = [];
  subscriber = new NoPollSubscriber(request({ transports: ['frames'] }), (text) => texts.push(text));
  subscriber.start();
  await until('it is subscribed', () => texts.length === 1);
  assert.equal(JSON.parse(texts[0]).e.detail.connid, broker.begun[0].connid);
  const [connection] = broker.open;
  const number = '12345678901234567890';
  connection.send({ toJSON: () => JSON.parse(`{"iat":1,"id":"1000-1","ep":{"requested":"a/#","emitted":"a"},"e":{"type":"t","detail":"${number}"}}`) });
  await until('it is heard', () => texts.length === 2);
  assert.ok(texts[1].includes(number));
});

for (const [name, given] of Object.entries({
  'data as an object': () => request({ data: { clid: 'page', ep: ['a/#'] } }),
  'data as JSON': () => request({ data: JSON.stringify({ clid: 'page', ep: ['a/#'] }) }),
  'an address alone, with ep and clid in its query': () => `${broker.url}?ep=a/%23&clid=page`,
})) {
  test(`what to subscribe to: ${name}`, async () => {
    make(given());
    subscriber.start();
    await until('it is subscribed', () => has('subscribe'));
    broker.publish('a/b', 'one');
    await until('it is heard', () => has('parsed', 'one'));
    assert.equal(broker.begun[0].body.clid, 'page');
  });
}

test('start() with something else begins anew; the connection before is over by then', async () => {
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  const others = [];
  subscriber.start(request({ data: { ep: ['b'] } }), (text) => others.push(JSON.parse(text).e.type));
  await until('it is subscribed anew', () => others.includes('connected'));
  await until('one is left', () => broker.open.size === 1);
  broker.publish('a/b', 'one');
  broker.publish('b', 'two');
  await until('it is heard', () => others.includes('two'));
  assert.equal(has('parsed', 'one'), false);
  assert.ok(has('DISCONNECTED', 0));
});

test('setURL() counts from the next start()', async () => {
  make(request());
  subscriber.setURL(request({ data: { ep: ['b'] } }));
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  broker.publish('b', 'two');
  await until('it is heard', () => has('parsed', 'two'));
});

test('stop() lets the connection go on to its end; abort() after it is the end', async () => {
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  subscriber.stop();
  broker.publish('a/b', 'one');
  await until('it is heard', () => has('parsed', 'one'));
  subscriber.abort();
  await until('it is over', () => has('DISCONNECTED', 0));
  await until('none is left', () => broker.open.size === 0);
  await pause(60); // for what must not come
  assert.equal(broker.begun.length, 1);
});

test('stop(): when the connection ends, no other follows', async () => {
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  subscriber.stop();
  broker.breakAll();
  await until('it is over', () => has('DISCONNECTED', 0));
  await pause(60); // for what must not come
  assert.equal(broker.begun.length, 1);
});

test('abort() alone: the next connection follows, and nothing is lost', async () => {
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  subscriber.abort();
  broker.publish('a/b', 'meanwhile');
  await until('it is heard', () => has('parsed', 'meanwhile'));
  assert.equal(calls.filter(([what]) => what === 'subscribe').length, 2);
});

test('a hundred starts, stops and aborts: one connection in the end, never a second one', async () => {
  let open = 0;
  let peak = 0;
  const counted = async (url, init) => {
    open++;
    peak = Math.max(peak, open);
    init.signal.addEventListener('abort', () => open--);
    return fetch(url, init);
  };
  make(request({ transports: ['frames'], fetch: counted }));
  for (let i = 0; i < 100; i++) {
    subscriber.start();
    if (i % 3 === 0) await pause(i % 7);
    if (i % 4 === 1) subscriber.stop();
    if (i % 4 === 2) subscriber.abort();
    if (i % 10 === 5) broker.breakAll();
  }
  subscriber.start();
  await until('the last is heard', () => {
    if (broker.open.size === 1) broker.publish('a/b', 'last'); // to the one of before too, which may be about to go
    return has('parsed', 'last');
  });
  assert.equal(peak, 1);
  await until('one is left', () => broker.open.size === 1);
});

test('the page keeps its time anew by itself, so the class does not', async () => {
  broker.timeout = 40;
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  await pause(100); // for what must not come
  assert.equal(broker.requests.some(({ path }) => path === 'alive'), false);
});

test('a broker that stops is no event for the page', async () => {
  make(request());
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  broker.stopSoftly(10);
  await until('it is back', () => calls.filter(([what]) => what === 'subscribe').length === 2);
  assert.equal(has('parsed', 'stopping'), false);
});

test('bind keys come from an address; without it no more', async () => {
  const keys = http.createServer((_, response) => response.end('good'));
  await new Promise((resolve) => keys.listen(0, '127.0.0.1', resolve));
  make(request({ data: { ep: [{ topic: 'a', binded: true }] } }));
  subscriber.setBindingKeyUrl(`http://127.0.0.1:${keys.address().port}/bindUser`);
  subscriber.start();
  await until('it is subscribed', () => has('subscribe'));
  assert.equal(broker.requests.find(({ path }) => path === 'ticket').body.bind_key, 'good');
  subscriber.unsetBindingKey();
  subscriber.start(request());
  await until('it is subscribed anew', () => calls.filter(([what]) => what === 'subscribe').length === 2);
  assert.equal(broker.requests.filter(({ path }) => path === 'ticket').length, 1);
  keys.close();
  keys.closeAllConnections();
});

test('validateIat() tells what is older than what it saw before', () => {
  make(request());
  assert.equal(subscriber.validateIat('{"iat": 5}'), true);
  assert.equal(subscriber.validateIat('{"iat": 5}'), true);
  assert.equal(subscriber.validateIat('{"iat": 4}'), false);
  assert.equal(subscriber.validateIat('{"iat": 6}'), true);
});

test('offline is a state of its own', async () => {
  const { navigator } = globalThis;
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  try {
    const { url } = broker;
    await broker.close();
    make({ url, data: { ep: ['a'] }, backoff: 20 });
    subscriber.start();
    await until('it is offline', () => has('OFFLINE', -1));
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  }
});
