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
