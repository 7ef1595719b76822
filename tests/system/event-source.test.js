'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { EventSource } = require('eventsource');
const { EventStream } = require('./lib/event-stream');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

test('eventsource of npm comes back by itself, and has every event once', async () => {
  const stack = new Stack('source', { handlers: 1, config: { fanout: { retry_time: '200ms', stop_spread: '0s' } } });
  stack.config.log = { path: path.join(stack.folder, 'log'), sync: 'always' };
  await stack.start();
  const source = new EventSource(`${stack.url}/sse?ep=a/%2B&clid=npm`);
  const connected = [];
  const heard = [];
  source.addEventListener('connected', ({ data }) => connected.push(JSON.parse(data).e.detail));
  source.onmessage = ({ data }) => heard.push(JSON.parse(data).e.type);
  const hears = (type) => until(`it hears ${type}`, () => heard.at(-1) === type);
  try {
    await until('it is connected', () => connected.length === 1);
    await stack.publish('a/1', 'one');
    await hears('one');
    for (const [signal, type] of [['SIGTERM', 'two'], ['SIGKILL', 'three']]) {
      stack.daemon.signal(signal);
      await stack.daemon.ended;
      await stack.startDaemon();
      await stack.publishInTheEnd('a/2', type);
      await hears(type);
      assert.equal(connected.at(-1).recovered, true);
    }
    assert.deepEqual(heard, ['one', 'two', 'three']);
    assert.equal(connected.length, 3);
  } finally {
    source.close();
    await stack.stop();
  }
});

test('the Authorization header of a gateway is no ticket, where topics are named', async () => {
  const stack = await Stack.start('gateway', { handlers: 1 });
  const headers = { Authorization: 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJvdGhlcnMifQ.c2lnbmF0dXJl' };
  try {
    const stream = await EventStream.open(`${stack.url}/sse?ep=a`, { headers });
    await stack.publish('a', 'heard');
    await stream.takeUntil('heard');
    stream.close();
    const poll = await stack.get('/poll?ep=a&wait=0', { headers });
    assert.equal(poll.status, 200);
    const bare = await stack.get('/sse', { headers });
    assert.equal(bare.status, 400);
    assert.equal(bare.json.error, 'Invalid ticket');
  } finally {
    await stack.stop();
  }
});

test('an event that matches several topics is resumed from after its last copy alone', async () => {
  const stack = await Stack.start('copies', { handlers: 1 });
  const url = `${stack.url}/sse?${['a/+', 'a/%23', 'a/1'].map((topic) => `ep=${topic.replace('+', '%2B')}`).join('&')}`;
  const names = (events) => events.map(({ id, json }) => [json.e.type, json.ep.requested, id === json.id]);
  /** The three copies of each, of which only the last says the id. */
  const allOf = (events, types) => {
    const got = names(events);
    assert.deepEqual(got.map(([type]) => type), types.flatMap((type) => [type, type, type]));
    for (let i = 0; i < got.length; i += 3) {
      assert.deepEqual(got.slice(i, i + 3).map(([, topic]) => topic).sort(), ['a/#', 'a/+', 'a/1']);
      assert.deepEqual(got.slice(i, i + 3).map(([, , isResumedFrom]) => isResumedFrom), [false, false, true]);
    }
  };
  const takeCopies = async (stream, count) => {
    await stream.until(`${count} copies`, () => stream.events.length >= count);
    return stream.events.splice(0, count);
  };
  try {
    const [several, one] = [await EventStream.open(url), await EventStream.open(`${stack.url}/sse?ep=a/%23`)];
    const [connected] = several.events.splice(0, 1);
    one.events.splice(0, 1);
    await stack.publish('a/1', 'live');
    const first = await takeCopies(several, 3);
    allOf(first, ['live']);
    assert.deepEqual(names(await takeCopies(one, 1)), [['live', 'a/#', true]]);
    // Cut after the first copy, an EventSource says the id of before.
    const again = await EventStream.open(url, { headers: { 'Last-Event-ID': connected.id } });
    again.events.splice(0, 1);
    allOf(await takeCopies(again, 3), ['live']);
    await stack.publish('a/1', 'next');
    allOf(await takeCopies(again, 3), ['next']);
    await stack.post({ ep: [{ topic: 'a/1', whisper: connected.json.e.detail.connid }], e: { type: 'whispered' } });
    await takeCopies(several, 3); // next
    allOf(await takeCopies(several, 3), ['whispered']);
    [several, one, again].forEach((stream) => stream.close());
  } finally {
    await stack.stop();
  }
});
