'use strict';

// Clients that speak while they listen, by each way in on which they can.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { WAYS, ask, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');

const sequenceOf = (id) => BigInt(id.split('-')[1]);
const subscribed = (topics) => ({ type: 'subscribed', detail: { topics } });
const unsubscribed = (topics) => ({ type: 'unsubscribed', detail: { topics } });
const error = (reason) => ({ type: 'error', detail: { error: reason } });

for (const [kind, way] of Object.entries(WAYS)) {
  describe(`a client on ${kind}`, () => {
    let stack;
    before(async () => {
      stack = await Stack.start('two', {
        handlers: 1,
        lines: true,
        config: { fanout: { max_messages: 100_000, max_topics: 50, max_alive: 2, stream_time: '1h' } },
      });
    });
    after(() => stack?.stop());
    afterEach(() => {
      RawConnection.destroyAll();
      return stack.untilTotal(0);
    });

    /** What this client has heard by now, without the broker's own frames: [requested, emitted, type]. It holds `topic`. */
    let ends = 0;
    async function heard(peer, topic) {
      const type = `end-${++ends}`;
      await stack.publish(topic, type);
      return (await takeUntil(peer, type))
        .filter((json) => json.ep.emitted !== '@SERVER@' && !json.e.type.startsWith('end-'))
        .map((json) => [json.ep.requested, json.ep.emitted, json.e.type]);
    }

    test('topics come and go while it lives', async () => {
      const peer = await way.open(stack, { clid: 'talker' });
      await stack.publish(['a', 'b/c'], 'early');
      assert.deepEqual(await ask(peer, { subscribe: ['a', 'b/+', { topic: 'end' }, 'a'] }), subscribed(3));
      await stack.publish(['a', 'b/c', 'c'], 'one');
      assert.deepEqual(await heard(peer, 'end'), [['a', 'a', 'one'], ['b/+', 'b/c', 'one']]);
      assert.deepEqual(await ask(peer, { subscribe: ['a', '#'] }), subscribed(4));
      assert.deepEqual(await ask(peer, { unsubscribe: ['a', 'unknown', 'b/+'] }), unsubscribed(2));
      await stack.publish(['a', 'b/c'], 'two');
      assert.deepEqual(await heard(peer, 'end'), [['#', 'a', 'two'], ['#', 'b/c', 'two']]);
      assert.deepEqual(await stack.look('/connections'), { talker: 1, '@TOTAL@': 1 });
      const [details] = Object.values(await stack.look('/connections?clid=talker&details=true'));
      assert.deepEqual(details.body.ep.sort(), ['#', 'end']);
      assert.equal((await stack.look('/state')).transports[way.name], 1);
    });

    test('what cannot be done is answered, and changes nothing', async () => {
      const peer = await way.open(stack, { ep: ['a'] });
      for (const [message, reason] of [
        ['nonsense', 'Invalid JSON in message'],
        [['subscribe', 'a'], 'Message should be an object'],
        [{ subscribe: ['x'], unsubscribe: ['a'] }, 'Message asks for several things at once'],
        [{ ep: ['x'] }, 'Message should be subscribe, unsubscribe, alive, had or ping'],
        [{ subscribe: 'x' }, 'Event Points should be an array'],
        [{ subscribe: ['x', 5] }, 'Invalid Event Point'],
        [{ subscribe: ['x', { topic: 'y', binded: true }] }, 'Bound topics need a bind key'],
        [{ subscribe: Array.from({ length: 51 }, (_, i) => `x/${i}`) }, 'Too many Event Points'],
        [{ subscribe: Array.from({ length: 50 }, (_, i) => `x/${i}`) }, 'Too many Event Points'],
        [{ subscribe: ['x'], last_id: '1-1' }, 'Last id should come with the first topics'],
        [{ alive: 'no' }, 'Invalid data'],
        [{ alive: 7 }, 'Secret should be a string'],
      ]) {
        assert.deepEqual(await ask(peer, message), error(reason));
      }
      await stack.publish('x', 'x');
      assert.deepEqual(await heard(peer, 'a'), []);
      assert.deepEqual(await ask(peer, { ping: { any: 1 } }), { type: 'pong', detail: {} });
    });

    test('topics that come and go at random under a flow of events: each event of a held topic once, and no other', async () => {
      const topics = Array.from({ length: 6 }, (_, i) => `t/${i}`);
      const peer = await way.open(stack);
      const published = [];
      let isOver = false;
      const flow = (async () => {
        while (!isOver) {
          const topic = topics[Math.floor(Math.random() * topics.length)];
          const { id } = await stack.publish(topic, 'n');
          published.push({ topic, sequence: sequenceOf(id) });
        }
      })();
      const spans = [];
      const held = new Map(); // topic -> where it began
      for (let round = 0; round < 400 || published.length < 600; round++) {
        const some = topics.filter(() => Math.random() < 0.3);
        const comes = Math.random() < 0.5;
        const answer = await ask(peer, comes ? { subscribe: some } : { unsubscribe: some });
        const at = sequenceOf(peer.answerId);
        for (const topic of some) {
          if (comes && !held.has(topic)) {
            held.set(topic, at);
          } else if (!comes && held.has(topic)) {
            spans.push({ topic, from: held.get(topic), to: at });
            held.delete(topic);
          }
        }
        assert.equal(answer.detail.topics, held.size);
      }
      isOver = true;
      await flow;
      await ask(peer, { ping: 1 });
      const end = sequenceOf(peer.answerId);
      held.forEach((from, topic) => spans.push({ topic, from, to: end }));
      const expected = published
        .filter(({ topic, sequence }) =>
          spans.some((span) => span.topic === topic && sequence > span.from && sequence <= span.to),
        )
        .map(({ topic, sequence }) => `${topic} ${sequence}`);
      const had = peer.before.map((json) => `${json.ep.emitted} ${sequenceOf(json.id)}`);
      assert.deepEqual(had, expected);
      assert.ok(had.length > 50 && spans.length > 50, `${had.length} events, ${spans.length} spans`);
    });

    test('it resumes by what it had, in its subscription or with its first topics', async () => {
      const first = await way.open(stack, { ep: ['r/+'] });
      await stack.publish('r/1', 'had');
      const { id } = (await takeUntil(first, 'had')).at(-1);
      first.destroy();
      await stack.untilTotal(0);
      await stack.publish(['r/2', 'other', 'r/3'], 'missed');
      const again = await way.open(stack, { ep: ['r/+'], last_id: id });
      assert.equal(again.connected.recovered, true);
      const later = await way.open(stack);
      assert.equal(later.connected.recovered, undefined);
      const answer = await ask(later, { subscribe: ['r/+'], last_id: id });
      assert.deepEqual([answer.type, answer.detail.topics, answer.detail.recovered], ['subscribed', 1, true]);
      assert.equal(later.answerId, id, 'whoever is cut off now has lost nothing');
      for (const peer of [again, later]) {
        await stack.publish('r/4', 'live');
        const events = (await takeUntil(peer, 'live')).map((json) => [json.ep.emitted, json.e.type]);
        assert.deepEqual(events.slice(0, 3), [['r/2', 'missed'], ['r/3', 'missed'], ['r/4', 'live']]);
      }
      const lost = await way.open(stack);
      const gone = await ask(lost, { subscribe: ['r/+'], last_id: '1-1' });
      assert.equal(gone.detail.recovered, false);
    });

    test('it remains who it was, with its whispers', async () => {
      const first = await way.open(stack, { ep: ['w'] });
      const { connid, secret } = first.connected;
      const whisper = (type) => stack.post({ ep: [{ topic: 'w', whisper: connid }], e: { type } });
      assert.equal((await whisper('one')).json.receivers, 1);
      const { id } = (await takeUntil(first, 'one')).at(-1);
      first.destroy();
      await stack.untilTotal(0);
      assert.equal((await whisper('two')).json.receivers, 0);
      const other = await way.open(stack, { ep: ['w'], last_id: id });
      const again = await way.open(stack, { ep: ['w'], last_id: id, connid, secret });
      assert.equal(again.connected.connid, connid);
      assert.deepEqual((await takeUntil(again, 'two')).map((json) => json.e.type), ['two']);
      assert.deepEqual(await heard(other, 'w'), []);
    });

    test('who watches its name sees it come and go, and it is told who is there', async () => {
      const watcher = await stack.subscribe(['@CONNECTION@/walker']);
      const peer = await way.open(stack, { clid: 'walker' });
      await watcher.until('it came', () => watcher.frames.some(({ json }) => json.e.type === 'connect'));
      await ask(peer, { subscribe: ['@CONNECTION@/walker'] });
      const available = await takeUntil(peer, 'available');
      assert.deepEqual(available.map((json) => [json.ep.requested, json.e.detail]), [
        ['@CONNECTION@/walker', { clid_instances: '1' }],
      ]);
      const second = await way.open(stack, { clid: 'walker' });
      assert.deepEqual((await takeUntil(peer, 'connect')).at(-1).e.detail, { clid_instances: 2 });
      await way.leave(second);
      assert.deepEqual((await takeUntil(peer, 'disconnect')).at(-1).e.detail, { clid_instances: 1 });
      await way.leave(peer);
      await watcher.until('it went', () => watcher.frames.at(-1).json.e.detail.clid_instances === 0);
      await watcher.close();
    });

    test('its time is renewed by its secret, so often', async () => {
      const peer = await way.open(stack, { ep: ['a'] });
      let { secret } = peer.connected;
      let former;
      for (let i = 0; i < 2; i++) {
        const { type, detail } = await ask(peer, { alive: secret });
        assert.deepEqual([type, detail.connid, detail.timeout], ['alive', peer.connected.connid, 3_600_000]);
        assert.notEqual(detail.secret, secret);
        if (former) assert.deepEqual(await ask(peer, { alive: former }), error('Invalid data'));
        former = secret;
        secret = detail.secret;
      }
      assert.deepEqual(await ask(peer, { alive: secret }), error('Max alive reached'));
      const answer = await stack.get('/alive', {
        method: 'POST',
        body: JSON.stringify({ connid: peer.connected.connid, secret }),
      });
      assert.equal(answer.reason, 'Max alive reached', 'and by POST /alive it is the same');
    });

    test('events of any size come whole', async () => {
      const peer = await way.open(stack, { ep: ['s'] });
      for (const size of [1, 100, 1000, 60_000, 70_000, 900_000]) {
        const detail = 'é'.repeat(size / 2);
        await stack.publish('s', 'sized', detail);
        const [json] = await takeUntil(peer, 'sized');
        assert.equal(json.e.detail === detail, true);
      }
    });
  });

  describe(`limits of a client on ${kind}`, () => {
    let stack;
    before(async () => {
      stack = await Stack.start('lim', {
        handlers: 1,
        lines: true,
        config: {
          fanout: {
            ...{ max_messages: 30, max_message: '2k', body_time: '1s' },
            ...{ max_pending: '1M', max_pending_soft: '256k', linger_time: '500ms' },
          },
        },
      });
    });
    after(() => stack?.stop());
    afterEach(() => {
      RawConnection.destroyAll();
      return stack.untilTotal(0);
    });

    /** Its stream ends with `code`; on raw TCP an error says why when there is a reason. */
    async function endsWith(peer, code, reason) {
      if (way.name === 'lines' && reason) {
        const last = (await takeUntil(peer, 'error')).at(-1);
        assert.deepEqual(last.e, error(reason));
      }
      const closing = await peer.closing();
      if (way.name === 'websocket') {
        assert.equal(closing.code, code, JSON.stringify(closing));
      }
    }

    test('more messages than it may send', async () => {
      const peer = await way.open(stack, { ep: ['a'] });
      const before = (await stack.look('/state')).closed.talkative;
      const allowed = way.name === 'lines' ? 29 : 30; // the subscription is a line, too
      for (let i = 0; i < allowed; i++) {
        assert.equal((await ask(peer, { ping: i })).type, 'pong');
      }
      await peer.say({ ping: 'one too many' });
      await endsWith(peer, 1008, 'Too many messages');
      await until('it is counted', async () => (await stack.look('/state')).closed.talkative === before + 1);
    });

    test('a message that is too large', async () => {
      const peer = await way.open(stack, { ep: ['a'] });
      assert.equal((await ask(peer, JSON.stringify({ ping: 'x'.repeat(2048 - 11) }))).type, 'pong');
      await peer.say('x'.repeat(2049));
      await endsWith(peer, 1009, 'Line too long');
    });

    test('a message that never becomes whole', async () => {
      const peer = await way.open(stack, { ep: ['a'] });
      await peer.raw.write(way.name === 'lines' ? '{"ping"' : Buffer.from([0x81, 0x85, 1, 2, 3, 4, 5]));
      await endsWith(peer, 1008, 'Line not received in time');
    });

    test('a reader that is too slow is closed, and the others have everything', async () => {
      const reader = await way.open(stack, { ep: ['big'] });
      const sleeper = await way.open(stack, { ep: ['big'], clid: 'sleeper' });
      sleeper.raw.pause();
      let count = 0;
      while ((await stack.look('/connections')).sleeper) {
        await stack.publish('big', 'big', { count: count++, text: 'x'.repeat(100_000) });
        assert.ok(count < 1000, 'a hundred megabytes wait for one client');
      }
      await stack.publish('big', 'end');
      const counts = (await takeUntil(reader, 'end')).slice(0, -1).map((json) => json.e.detail.count);
      assert.deepEqual(counts, Array.from({ length: count }, (_, i) => i));
      assert.equal((await stack.look('/state')).closed.slow, 1);
    });
  });

  test(`silence on ${kind} is broken, and the stream ends when its time is over`, async () => {
    const stack = await Stack.start('time', { lines: true, config: { fanout: { keep_alive: '1s', stream_time: '3s' } } });
    try {
      const peer = await way.open(stack, { ep: ['a'] });
      assert.equal(peer.connected.timeout, 3000);
      const { keepAlives, code } = await peer.silence();
      assert.ok(keepAlives >= 1);
      assert.equal(code, way.name === 'websocket' ? 1000 : undefined);
    } finally {
      await stack.stop();
    }
  });

  describe(`the daemon's end, as seen on ${kind}`, () => {
    test('it says when to come back, and after a kill everything is resumed from the disk', async () => {
      const stack = new Stack('end', { handlers: 1, lines: true, config: { fanout: { stop_spread: '0s', retry_time: '2s' } } });
      stack.config.log = { path: path.join(stack.folder, 'log'), sync: 'always' };
      await stack.start();
      try {
        const told = await way.open(stack, { ep: ['a'] });
        await stack.publish('a', 'one');
        const { id } = (await takeUntil(told, 'one')).at(-1);
        assert.equal(await stack.daemon.end(), 0);
        const last = await told.message();
        assert.equal(last.e.type, 'stopping');
        assert.ok(last.e.detail.retry >= 0 && last.e.detail.retry <= 2000);
        assert.equal(last.id, id);
        assert.equal((await told.closing()).code, way.name === 'websocket' ? 1001 : undefined);

        await stack.startDaemon();
        const cut = await way.open(stack);
        const answer = await ask(cut, { subscribe: ['a'], last_id: id });
        assert.equal(answer.detail.recovered, true);
        await stack.publishInTheEnd('a', 'two');
        await takeUntil(cut, 'two');
        stack.daemon.signal('SIGKILL');
        await stack.daemon.ended;
        await cut.raw.closed();
        cut.destroy();
        await stack.startDaemon();
        await stack.publishInTheEnd('a', 'three');
        const again = await way.open(stack, { ep: ['a'], last_id: id });
        assert.deepEqual((await takeUntil(again, 'three')).map((json) => json.e.type), ['two', 'three']);
        again.destroy();
        await stack.untilTotal(0);
      } finally {
        RawConnection.destroyAll();
        await stack.stop();
      }
    });
  });
}
