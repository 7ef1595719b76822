// The client on a line that delays, loses answers and stands still, with the real daemon.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';
import { WebSocket } from 'ws';

const require = createRequire(import.meta.url);
const { Line } = require('../../../../tests/lib/line.js');
const { Stack } = require('../../../../tests/system/lib/stack.js');
const { Bound } = require('../../../../tests/system/lib/bound.js');
const { bindKey } = require('../../../../tests/system/lib/bind-keys.js');

let stack;
let line;
let listener;
before(async () => (stack = await Stack.start('line', { handlers: 1, config: { fanout: { poll_time: '500ms', max_alive: 60 } } })));
after(() => stack?.stop());
afterEach(async () => {
  await listener?.client.close();
  await line?.stop();
});

const begin = async (options) => {
  line = await Line.start(stack.port);
  listener = listen({ url: `${line.url}/`, ...options });
  await listener.client.ready();
};

for (const transport of ALL) {
  describe(`on a line by ${transport}`, () => {
    test('answers are lost as it comes back: it is the same client, and gets its whispers', async () => {
      await begin({ transports: [transport], topics: ['w'] });
      const { connid } = listener.client;
      const expected = [];
      for (let i = 0; i < 4; i++) {
        const lost = line.loseAnswer(/secret/);
        line.cut();
        await lost;
        expected.push(`missed-${i}`);
        await stack.post({ ep: [{ topic: 'w', whisper: connid }], e: { type: `missed-${i}` } });
        await listener.heard(`missed-${i}`);
        await listener.client.ready();
        assert.equal(listener.client.connid, connid);
      }
      assert.deepEqual(listener.types(), expected);
    });
  });
}

test('a line of 400 ms each way, with the patience of every page: it connects, and comes back as the same client', async () => {
  await begin({ topics: ['a'], patience: undefined });
  line.delay = 400;
  line.cut();
  await stack.publish('a', 'meanwhile');
  await listener.heard('meanwhile');
  await listener.client.ready();
  const { connid, transport } = listener.client;
  for (let i = 0; i < 3; i++) {
    line.cut();
    await stack.publish('a', `again-${i}`);
    await listener.heard(`again-${i}`);
    await listener.client.ready();
    assert.deepEqual([listener.client.connid, listener.client.transport], [connid, transport]);
  }
  assert.deepEqual(listener.types(), ['meanwhile', 'again-0', 'again-1', 'again-2']);
  await stack.untilTotal(1);
});

test('a first connection on such a line: the ways in that are slow go on beside each other', async () => {
  line = await Line.start(stack.port);
  line.delay = 1000;
  listener = listen({ url: `${line.url}/`, topics: ['a'], patience: undefined });
  await listener.client.ready();
  assert.deepEqual(listener.errors, []);
  assert.equal(listener.states.includes('waiting'), false, 'none was thrown away');
  await stack.publish('a', 'one');
  await listener.heard('one');
  await stack.untilTotal(1);
});

test('what came by the last way in finds a better one when it is open again', async () => {
  const closed = new Set(['ws', 'frames', 'sse']);
  line = await Line.start(stack.port);
  const url = `${line.url}/`;
  const guarded = (where, init) =>
    closed.has('frames') && !/poll/.test(where) ? Promise.resolve(new Response('', { status: 404 })) : fetch(where, init);
  class Guarded extends WebSocket {
    constructor(...words) {
      if (closed.has('ws')) throw new DOMException('a policy forbids it', 'SecurityError');
      super(...words);
    }
  }
  listener = listen({ url, topics: ['a'], fetch: guarded, WebSocket: Guarded, betterTime: 50 });
  await listener.client.ready();
  assert.equal(listener.client.transport, 'poll');
  const { connid } = listener.client;
  await stack.publish('a', 'one');
  await listener.heard('one');
  closed.clear();
  await until('it comes by a better way', () => listener.client.transport === 'ws');
  await stack.publish('a', 'two');
  await listener.heard('two');
  assert.equal(listener.client.connid, connid);
  assert.deepEqual(listener.types(), ['one', 'two']);
  await stack.untilTotal(1);
});

test('a constructor that throws is a way in that is closed: the next one is taken at once', async () => {
  line = await Line.start(stack.port);
  class Forbidden {
    constructor() {
      throw new DOMException('The operation is insecure.', 'SecurityError');
    }
  }
  listener = listen({ url: `${line.url}/`, topics: ['a'], WebSocket: Forbidden });
  await listener.client.ready();
  assert.equal(listener.client.transport, 'frames');
  assert.deepEqual(listener.errors, []);
});

test('an address that answers pages is unfit', async () => {
  line = await Line.start(stack.port);
  const html = async () => new Response('<!doctype html><title>shop</title>', { headers: { 'Content-Type': 'text/html' } });
  listener = listen({ url: `${line.url}/`, topics: ['a'], WebSocket: undefined, fetch: html });
  await until('it is told', () => listener.errors.length > 0);
  assert.deepEqual([listener.errors[0].kind, listener.errors[0].message], ['unfit', 'HTML']);
});

describe('1,000 bound topics behind nginx', () => {
  let bound;
  before(async () => {
    bound = await Bound.start({});
    await bound.add('CASA/NIVEL_AGUA', { owner: 'ana' });
  });
  after(() => bound?.stop());

  for (const transports of [undefined, ['frames'], ['sse'], ['poll']]) {
    test(`by ${transports ?? 'whatever gets through'}`, async () => {
      const topics = Array.from({ length: 999 }, (_, i) => ({ topic: `${i}/`.padEnd(20, 'x'), bound: true }));
      listener = listen({ url: bound.url, transports, bindKey: () => bindKey('ana'), topics: [...topics, { topic: 'CASA/NIVEL_AGUA', bound: true }] });
      assert.equal(await listener.client.ready(), true);
      assert.equal(listener.client.user, 'ana');
      assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'level' })).result, 'sent');
      await listener.heard('level');
      assert.deepEqual(listener.errors, []);
    });
  }
});
