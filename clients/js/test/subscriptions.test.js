// Topics and handlers count: what one part of a page ends, another one goes on hearing.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Broker } from './lib/broker.js';
import { isWhole } from './lib/client.js';
import { listen } from './lib/listener.js';
import { until } from './lib/wait.js';

let broker;
let listener;
let client;
beforeEach(async () => {
  broker = await Broker.start();
  listener = listen({ url: broker.url, transports: ['ws'] });
  ({ client } = listener);
  await client.ready();
});
afterEach(async () => {
  await client.close();
  await broker.close();
});

const say = async (topic, type) => {
  broker.publish(topic, type);
  broker.publish('sentinel', `after ${type}`);
};
const topicsNow = () => [...broker.open][0].topics;

test('two subscriptions of one topic: the first that ends takes nothing from the second', async () => {
  const heard = [];
  const one = client.subscribe('a', ({ type }) => heard.push(`one ${type}`));
  const two = client.subscribe('a', ({ type }) => heard.push(`two ${type}`));
  const plain = client.subscribe('a', 'sentinel');
  assert.deepEqual(await Promise.all([one.ready, two.ready, plain]), [true, true, true]);
  await say('a', 'x');
  await listener.heard('after x');
  one.off();
  one.off();
  client.unsubscribe('a');
  await client.ready();
  await say('a', 'y');
  await listener.heard('after y');
  assert.deepEqual(heard, ['one x', 'two x', 'two y']);
  two.off();
  await until('the topic is given up', () => !topicsNow().includes('a'));
  assert.ok(topicsNow().includes('sentinel'));
});

test('unsubscribe() takes back as many subscribe() as it is called', async () => {
  await client.subscribe('a');
  await client.subscribe('a');
  client.unsubscribe('a');
  await client.subscribe('b');
  assert.ok(topicsNow().includes('a'));
  client.unsubscribe('a');
  client.unsubscribe('a');
  await until('the topic is given up', () => !topicsNow().includes('a'));
  await client.subscribe('a');
  assert.ok(topicsNow().includes('a'));
});

test('a signal ends a subscription, a handler, a client', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const heard = [];
  await client.subscribe('a', ({ type }) => heard.push(type), { signal }).ready;
  client.on('x', () => heard.push('on'), { signal });
  await client.subscribe('sentinel');
  controller.abort();
  await until('the topic is given up', () => !topicsNow().includes('a'));
  await say('a', 'x');
  await listener.heard('after x');
  assert.deepEqual(heard, []);
  assert.equal(await client.subscribe('late', { signal }).ready, false);
  const other = listen({ url: broker.url, signal });
  assert.equal(other.client.state, 'closed');
});

test('one function for one name twice: each off() ends one; once() is heard once', async () => {
  const heard = [];
  const note = ({ type }) => heard.push(type);
  const offs = [client.on('x', note), client.on('x', note)];
  client.once('x', () => heard.push('once'));
  await client.subscribe('a', 'sentinel');
  await say('a', 'x');
  await listener.heard('after x');
  assert.deepEqual(heard, ['x', 'x', 'once']);
  offs[0]();
  await say('a', 'x');
  await until('it is heard again', () => heard.length === 4);
  offs[1]();
  await say('a', 'x');
  await until('three are heard', () => listener.types().filter((type) => type === 'after x').length === 3);
  assert.equal(heard.length, 4);
});

test('presence is heard as any other topic, and told once', async () => {
  const told = [];
  const { off } = client.subscribe('@CONNECTION@/phone', ({ type, detail }) => told.push(`${type} ${detail.clid_instances}`));
  await until('it is told', () => told.length === 1);
  await client.subscribe('a', 'sentinel');
  broker.breakAll();
  await say('a', 'x');
  await listener.heard('after x');
  assert.deepEqual(told, ['available 0']);
  broker.more = 3;
  broker.breakAll();
  await until('the count is another', () => told.length === 2);
  assert.deepEqual(told, ['available 0', 'available 3']);
  off();
});

const whole = isWhole ? test : () => {}; // what the core has not

whole('presence: each handler gets the count at once, and ends by itself', async () => {
  const counts = { one: [], two: [], three: [] };
  const offs = ['one', 'two'].map((name) => client.presence('phone', (count) => counts[name].push(count)));
  await until('both have it', () => counts.one.length === 1 && counts.two.length === 1);
  offs.push(client.presence('phone', (count) => counts.three.push(count)));
  await until('the third has it', () => counts.three.length === 1);
  offs[0]();
  offs[1]();
  broker.more = 3;
  broker.breakAll();
  await until('the count is another', () => counts.three.length === 2);
  assert.deepEqual(counts, { one: [0], two: [0], three: [0, 3] });
  offs[2]();
  await until('the topic is given up', () => topicsNow()?.length === 0);
});

test('what was not in force when it was ended or the client closed settles with false', async () => {
  const sub = client.subscribe('a');
  sub.off();
  assert.equal(await sub.ready, false);
  const other = client.subscribe('b');
  await client.close();
  assert.equal(await other.ready, false);
});

test('topics: bound and binded are one word; another one is an error that names it', () => {
  assert.throws(() => client.subscribe({ topic: 'a', bond: true }), { name: 'TypeError', message: 'A topic has no "bond"' });
  assert.throws(() => client.subscribe({ topic: 'a', bound: true }), /bindKey/);
  assert.throws(() => client.subscribe(7), /No topic/);
});

test('without the address of a broker it says so', () => {
  assert.throws(() => listen({}), /No url/);
  assert.throws(() => listen(), TypeError);
});

test('an address may be a URL; one that is not whole is that of the document or of the worker', async () => {
  const whole = listen({ url: new URL(broker.url) });
  assert.equal(await whole.client.ready(), true);
  await whole.client.close();
  globalThis.location = new URL(`${broker.url}worker.js`);
  try {
    const relative = listen({ url: '/notify/' });
    assert.equal(await relative.client.ready(), true);
    await relative.client.close();
  } finally {
    delete globalThis.location;
  }
});

test('what came before a topic was asked for is not heard on coming back either', async () => {
  await client.subscribe('a');
  broker.publish('b', 'early');
  await client.subscribe('b');
  broker.breakAll();
  await until('it comes back', () => broker.begun.length === 2);
  await client.ready();
  broker.publish('b', 'late');
  await listener.heard('late');
  assert.deepEqual(listener.types(), ['late']);
});

test('a gap is told', async () => {
  const gaps = [];
  client.on('@gap', ({ id }) => gaps.push(id));
  await client.subscribe('a');
  broker.publish('a', 'one');
  await listener.heard('one');
  broker.epoch = 2000;
  broker.breakAll();
  await until('it is told', () => gaps.length === 1);
  assert.equal(gaps[0].split('-')[0], '2000');
});

test('debug tells on the console what it does', async (t) => {
  const { mock } = t.mock.method(console, 'debug', () => {});
  const other = listen({ url: broker.url, debug: true });
  await other.client.ready();
  await other.client.close();
  const said = mock.calls.map(({ arguments: words }) => words.join(' '));
  assert.ok(said.includes('es-web-notify: connected') && said.includes('es-web-notify: connected by ws'), said.join());
});

test('what is taken back before it was in force has ended: its promise says so', async () => {
  const ready = client.subscribe('a');
  client.unsubscribe('a');
  assert.equal(await ready, false);
});
