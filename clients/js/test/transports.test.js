// Each way in against a server on this machine.

import assert from 'node:assert/strict';
import http from 'node:http';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Broker } from './lib/broker.js';
import { isWhole } from './lib/client.js';
import { ALL, listen } from './lib/listener.js';
import { pause, until } from './lib/wait.js';

const whole = isWhole ? test : () => {}; // what the core has not

for (const transport of ALL) {
  describe(`by ${transport}`, () => {
    let broker;
    let listener;
    beforeEach(async () => (broker = await Broker.start()));
    afterEach(async () => {
      await listener.client.close();
      await until('all are gone', () => broker.open.size === 0);
      await broker.close();
    });
    const begin = async (options) => {
      listener = listen({ url: broker.url, transports: [transport], ...options });
      await listener.client.ready();
      return listener;
    };
    /** For polls, between two of which nobody is there, events are published when the next one waits. */
    const held = () => until('a connection is held', () => broker.open.size > 0);
    const publish = async (...event) => {
      await held();
      return broker.publish(...event);
    };

    test('events come with type, detail, topic, requested topic, id and iat', async () => {
      await begin({ topics: ['news/#', 'other'], clid: 'tablet' });
      assert.equal(listener.client.state, 'connected');
      assert.equal(listener.client.transport, transport);
      assert.equal(broker.begun[0].body.clid, 'tablet');
      await publish('news/today', 'headline', { text: 'it’s 😀 "works"' });
      await listener.heard('headline');
      const [{ iat, ...event }] = listener.events;
      assert.deepEqual(event, {
        type: 'headline',
        detail: { text: 'it’s 😀 "works"' },
        topic: 'news/today',
        requested: 'news/#',
        id: broker.head,
        kept: false,
      });
      assert.ok(iat > 0);
    });

    test('without a name or a topic it is connected all the same', async () => {
      await begin({});
      assert.equal(broker.begun[0].body.clid, undefined);
      assert.ok(listener.client.connid > 0);
    });

    test('handlers by type, by topic, by both, for all; off() ends them', async () => {
      await begin({ topics: ['a', 'b'] });
      const calls = [];
      const note = (name) => (event) => calls.push(`${name} ${event.topic} ${event.type}`);
      listener.client.on('x', note('type'));
      listener.client.on({ topic: 'a' }, note('topic'));
      listener.client.on({ topic: 'a', type: 'y' }, note('both'));
      const off = listener.client.on('*', note('all'));
      await publish('a', 'x');
      await listener.heard('x');
      off();
      await publish('a', 'y');
      await publish('b', 'z');
      await listener.heard('z');
      assert.deepEqual(calls, ['topic a x', 'type a x', 'all a x', 'topic a y', 'both a y']);
    });

    test('topics are changed while it runs; the connection id stays, nothing of before is heard again', async () => {
      await begin({ topics: ['a'] });
      const { connid } = listener.client;
      await publish('a', 'first');
      await publish('b', 'too early');
      await listener.heard('first');
      await listener.client.subscribe('b', 'c');
      await publish('b', 'second');
      await listener.heard('second');
      listener.client.unsubscribe('a');
      await until('a is gone', () => [...broker.open].some(({ topics }) => topics.length > 0 && !topics.includes('a')));
      await publish('a', 'too late');
      await publish('c', 'third');
      await listener.heard('third');
      assert.deepEqual(listener.types(), ['first', 'second', 'third']);
      assert.equal(listener.client.connid, connid);
      assert.equal(listener.meter.peak, 1);
      if (transport === 'ws') assert.equal(broker.begun.length, 1);
    });

    test('after a break it goes on where it was: nothing lost, nothing twice', async () => {
      await begin({ topics: ['a/#', 'a/b'] });
      const { connid } = listener.client;
      const count = 40;
      for (let i = 1; i <= count; i++) {
        broker.publish('a/b', `event-${i}`);
        if (i % 7 === 0) {
          broker.breakAll();
          broker.publish('a/b', `meanwhile-${i}`);
        }
        if (i % 3 === 0) await until('it is back', () => listener.client.state === 'connected');
      }
      await publish('a/b', 'last');
      await until('the last is heard twice', () => listener.types().filter((type) => type === 'last').length === 2);
      const expected = broker.log.slice(broker.log.findIndex(({ e }) => e.type === 'event-1')).map(({ e }) => e.type);
      for (const requested of ['a/#', 'a/b']) {
        const heard = listener.events.filter((event) => event.requested === requested).map(({ type }) => type);
        assert.deepEqual(heard, expected, requested);
      }
      assert.equal(listener.client.connid, connid);
      assert.equal(listener.meter.peak, 1);
    });

    test('what the broker refuses is told once, and not asked for again', async () => {
      const isBad = ({ body }) => JSON.stringify(body).includes('bad');
      if (transport !== 'ws') broker.answer = (request) => isBad(request) && { status: 400, error: 'Invalid Event Point' };
      listener = listen({ url: broker.url, transports: [transport], topics: ['good', 'bad'] });
      assert.equal(await listener.client.ready(), true);
      await publish('good', 'one');
      await listener.heard('one');
      assert.deepEqual(listener.errors.map(({ kind, message, topics }) => [kind, message, topics]), [['refused', 'Invalid Event Point', ['bad']]]);
      await assert.rejects(listener.client.subscribe('bad').ready, { kind: 'refused', topics: ['bad'] });
      assert.equal(listener.client.state, 'connected');
    });

    test('what is refused for another reason is told, and tried again', async () => {
      broker.answer = () => ({ status: 400, error: 'Invalid something' });
      listener = listen({ url: broker.url, transports: [transport === 'ws' ? 'poll' : transport], topics: ['a'] });
      await until('it was refused thrice', () => listener.errors.length >= 3);
      for (const error of listener.errors) assert.deepEqual([error.kind, error.message], ['refused', 'Invalid something']);
      broker.answer = undefined;
      assert.equal(await listener.client.ready(), true);
    });

    test('a broker that stops says when to come back', async () => {
      await begin({ topics: ['a'] });
      await held();
      const begun = Date.now();
      broker.stopSoftly(300);
      await until('it waits', () => listener.states.includes('waiting'));
      await until('it is back', () => listener.client.state === 'connected');
      assert.ok(Date.now() - begun >= 290);
      assert.equal(listener.meter.peak, 1);
    });

    test('a silent connection is given up', async () => {
      await begin({ topics: ['a'], silence: 300 });
      await held();
      const [connection] = broker.open;
      // It hears nothing any more, and nothing says so.
      connection.say = connection.tell = () => 0;
      connection.send = () => {};
      await until('it was given up', () => listener.errors.length > 0);
      await listener.client.ready();
      assert.deepEqual([listener.errors[0].kind, listener.errors[0].message], ['down', 'Silence']);
      assert.equal(listener.meter.peak, 1);
    });

    whole('a whisper answers what the page has asked its backend', async () => {
      await begin({ topics: ['answers'] });
      const answer = await listener.client.whisper('price', async (connid) => {
        await held();
        broker.publish('answers', 'price', 1, connid + 1); // to somebody else
        broker.publish('answers', 'price', 2, connid);
      });
      assert.equal(answer.detail, 2);
      await assert.rejects(listener.client.whisper('never', () => {}, { timeout: 20 }), { kind: 'timeout' });
      await assert.rejects(listener.client.whisper('never', () => Promise.reject(Error('no backend'))), /no backend/);
      const picked = listener.client.whisper(
        (event) => event.detail?.token === 7,
        async (connid) => {
          await publish('answers', 'price', { token: 6 }, connid);
          await publish('answers', 'price', { token: 7 }, connid);
        },
      );
      assert.equal((await picked).detail.token, 7);
    });

    whole('presence gives the count at once, and after a break when it is another', async () => {
      await begin({ clid: 'me', topics: ['a'] });
      const counts = [];
      listener.client.presence('me', (count) => counts.push(count));
      await until('the first count', () => counts.length === 1);
      await held();
      broker.breakAll();
      await publish('a', 'same count');
      await listener.heard('same count');
      const [first] = counts;
      assert.deepEqual(counts, [first]);
      await held();
      broker.breakAll();
      broker.more = 5;
      await until('the other count', () => counts.length === 2);
      assert.deepEqual(counts, [first, first + 5]);
    });

    test('a page that never gives its bind key holds nothing up', async () => {
      const topics = [{ topic: 'mine', binded: true }];
      listener = listen({ url: broker.url, transports: [transport], topics, bindKey: () => new Promise(() => {}) });
      await pause(20); // for it to ask
      await listener.client.close();
      assert.equal(listener.client.state, 'closed');
    });

    if (transport !== 'poll') {
      test('its time is renewed before it is over', async () => {
        broker.timeout = 100;
        await begin({ topics: ['a'] });
        const [connection] = broker.begun;
        const first = connection.secret;
        await until('it was renewed', () => connection.secret !== first);
        const second = connection.secret;
        await until('it was renewed again', () => connection.secret !== second);
        assert.equal(broker.begun.length, 1);
        broker.breakAll();
        const { connid } = listener.client;
        await until('it is back', () => broker.begun.length === 2 && listener.client.state === 'connected');
        assert.equal(listener.client.connid, connid, 'it knows the newest secret');
      });
    }

    if (transport === 'ws') {
      test('it goes on from where its topics were in force, not from where it was opened', async () => {
        broker.beforeSubscribed = () => broker.publish('a', 'too early');
        await begin({ topics: ['a'] });
        broker.beforeSubscribed = undefined;
        broker.breakAll();
        await publish('a', 'now');
        await listener.heard('now');
        assert.deepEqual(listener.types(), ['now']);
        assert.equal(broker.begun.at(-1).said.find(({ subscribe }) => subscribe).last_id, '1000-1');
      });
    }

    if (['frames', 'sse'].includes(transport)) {
      test('with a beat it says at once, and then each time, until when it has to be heard of again', async () => {
        await begin({ topics: ['a'], beat: 40 });
        const beats = () => broker.requests.filter(({ path }) => path === 'alive').map(({ body }) => body.beat);
        await until('it was renewed thrice', () => beats().length >= 3);
        assert.deepEqual([...new Set(beats())], [80]);
      });
    }

    test('bound topics: each connection with a bind key and a ticket of its own', async () => {
      const keys = [];
      const bindKey = async () => {
        await pause(5);
        keys.push('good');
        return 'good';
      };
      await begin({ topics: [{ topic: 'mine', binded: true }, 'open'], bindKey, clid: 'tablet' });
      await publish('mine', 'one');
      await listener.heard('one');
      broker.breakAll();
      await publish('open', 'two');
      await listener.heard('two');
      assert.ok(keys.length >= 2);
      const tickets = broker.requests.filter(({ path }) => path === 'ticket');
      assert.ok(tickets.length >= keys.length - 1, 'one may be under way');
      assert.deepEqual(tickets[0].body, { bind_key: 'good', ep: [{ topic: 'mine', binded: true }, 'open'], clid: 'tablet' });
      assert.ok(tickets.at(-1).body.last_id);
      assert.equal(new Set(broker.begun.map(({ connid }) => connid)).size, 1);
    });

    test('a bind key that cannot be had or is refused is told, and asked for again', async () => {
      let tries = 0;
      const bindKey = () => {
        tries++;
        if (tries === 1) throw Error('logged out');
        return tries === 2 ? 'bad' : 'good';
      };
      await begin({ topics: [{ topic: 'mine', binded: true }], bindKey });
      assert.equal(tries >= 3, true);
      assert.deepEqual(
        listener.errors.map(({ kind, message }) => [kind, message]),
        [['down', 'logged out'], ['refused', 'Invalid Bind Key']],
      );
    });

    test('a backend that signs tickets itself is asked for each', async () => {
      const asked = [];
      const ticket = async (request) => {
        asked.push(request);
        return JSON.stringify(request);
      };
      await begin({ topics: ['a'], ticket });
      assert.deepEqual(asked[0].ep, ['a']);
      await publish('a', 'one');
      await listener.heard('one');
    });
  });
}

test('a frame that comes under one of its topics only before a break comes under the other after it', async () => {
  const broker = await Broker.start();
  const listener = listen({ url: broker.url, transports: ['frames'], topics: ['a/#', 'a/b'] });
  await listener.client.ready();
  let length;
  const measure = await fetch(broker.url, { method: 'POST', body: JSON.stringify({ ep: ['a/#', 'a/b'] }) });
  const reader = measure.body.getReader();
  await reader.read(); // connected
  broker.publish('a/b', 'one');
  for (let text = ''; !length; ) {
    text += new TextDecoder().decode((await reader.read()).value);
    if (text.split("''").length > 4) length = text.length;
  }
  await reader.cancel();
  await until('one is heard twice', () => listener.events.length === 2);
  // The next connection is cut off in the middle of what one event makes.
  broker.breakAll();
  broker.publish('a/b', 'two');
  broker.cutAfter = 310 + Math.round(length * 0.6);
  await until('two is heard twice', () => listener.types().filter((type) => type === 'two').length === 2);
  assert.deepEqual(listener.events.map(({ type, requested }) => `${type} ${requested}`), [
    'one a/#',
    'one a/b',
    'two a/#',
    'two a/b',
  ]);
  await listener.client.close();
  await broker.close();
});

describe('an address that gives bind keys', () => {
  for (const [status, text, kind, final] of [
    [200, '<html>', 'login', true],
    [401, '', 'login', true],
    [403, '', 'login', true],
    [404, '', 'down', false],
    [500, '', 'down', false],
  ]) {
    test(`${status} ${text}: ${final ? 'nobody is logged in' : 'it is asked again'}`, async () => {
      const keys = http.createServer((_, response) => response.writeHead(status).end(text));
      await new Promise((resolve) => keys.listen(0, '127.0.0.1', resolve));
      const bindKey = `http://127.0.0.1:${keys.address().port}/key`;
      const broker = await Broker.start();
      const listener = listen({ url: broker.url, topics: [{ topic: 'mine', bound: true }], bindKey, transports: ['frames'] });
      await until('it says so', () => listener.errors.length > 0);
      assert.deepEqual([listener.errors[0].kind, listener.errors[0].status, listener.errors[0].final], [kind, status, final]);
      if (final) await until('it has ended', () => listener.client.state === 'closed');
      else await until('it says so again', () => listener.errors.length > 1);
      await listener.client.close();
      await broker.close();
      keys.close();
      keys.closeAllConnections();
    });
  }
});
