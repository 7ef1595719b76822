'use strict';

const assert = require('node:assert/strict');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const TIME_LIMIT_MS = 1000;
// Between the time limit, which the programs keep, and what a busy machine adds.
const ANSWER_LIMIT_MS = TIME_LIMIT_MS + 10_000;
const PUBLISHERS = 8;
const SUBSCRIBERS = 5;

/** Posts one event after the other and keeps every answer. */
class Publisher {
  answers = []; // {number, status, epoch, sequence, receivers}
  isStopped = false;

  constructor(stack, index) {
    this.index = index;
    this.done = this.#run(stack);
  }

  async #run(stack) {
    for (let number = 0; !this.isStopped; number++) {
      const began = Date.now();
      const answer = await stack.post({ ep: ['a'], e: { type: 'n', detail: `${this.index}/${number}` } });
      assert.ok(Date.now() - began < ANSWER_LIMIT_MS, `answered after ${Date.now() - began} ms`);
      assert.ok([200, 503].includes(answer.status), `${answer.status} ${answer.text}`);
      if (answer.status === 503) {
        assert.match(answer.headers['retry-after'] ?? '', /^\d+$/, 'Retry-After');
        assert.equal(answer.headers['access-control-expose-headers'], 'Retry-After');
        assert.equal(typeof answer.json?.error, 'string', answer.text);
      }
      const [epoch, sequence] = (answer.json.id ?? '').split('-');
      this.answers.push({ number, status: answer.status, epoch, sequence, receivers: answer.json.receivers });
    }
  }

  count(status) {
    return this.answers.filter((answer) => answer.status === status).length;
  }
}

/** A client that subscribes again whenever its stream is lost. */
class Faithful {
  seen = new Map(); // event id -> detail
  connections = 0;
  isStopped = false;

  constructor(stack) {
    this.done = this.#run(stack);
  }

  async #run(stack) {
    while (!this.isStopped) {
      try {
        this.current = await stack.subscribe(['a'], {
          onFrame: ({ json }) => {
            if (json.e.type === 'n') {
              assert.equal(this.seen.has(json.id), false, `${json.id} twice`);
              this.seen.set(json.id, json.e.detail);
            }
          },
        });
        this.connections++;
        await this.current.ended();
      } catch (error) {
        if (error instanceof assert.AssertionError) {
          throw error;
        }
        // The daemon is away; ask again soon.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async stop() {
    this.isStopped = true;
    await this.current.close();
    await this.done;
  }
}

describe('the daemon is killed while events are posted', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('kill', {
      handlers: 2,
      workers: 4,
      config: { publish: { time_limit: `${TIME_LIMIT_MS}ms` }, messages: { level: 'info' } },
    });
  });
  after(() => stack?.stop());

  test('every post is answered, nothing is claimed that was not had, and all goes on afterwards', async () => {
    const processes = () => stack.handlers.map((handler) => [handler.pid, handler.children()]);
    const processesBefore = processes();
    const clients = Array.from({ length: SUBSCRIBERS }, () => new Faithful(stack));
    await stack.untilTotal(SUBSCRIBERS);
    const publishers = Array.from({ length: PUBLISHERS }, (_, index) => new Publisher(stack, index));
    const watched = Promise.all(publishers.map((publisher) => publisher.done));
    watched.catch(() => {});
    const all = (status, more) => {
      const marks = publishers.map((publisher) => publisher.count(status) + more);
      return Promise.race([
        until(`every publisher has ${more} more answers ${status}`, () =>
          publishers.every((publisher, i) => publisher.count(status) >= marks[i]),
        ),
        watched,
      ]);
    };
    for (let round = 0; round < 3; round++) {
      await all(200, 50);
      await stack.killTaking();
      assert.equal(await stack.daemon.ended, 'SIGKILL');
      await all(503, 3);
      await stack.startTaking();
      await stack.untilTotal(SUBSCRIBERS);
    }
    await all(200, 50);
    for (const publisher of publishers) {
      publisher.isStopped = true;
    }
    await watched;
    await stack.drain('a', clients[0].current);
    await until('all clients have the last event', () => clients.every((client) => client.seen.has(lastId(clients[0]))));
    assert.deepEqual(processes(), processesBefore, 'no handler was started anew');
    checkClaims(publishers, clients);
    await Promise.all(clients.map((client) => client.stop()));
    assert.ok(clients.every((client) => client.connections >= 4));
  });

  function lastId(client) {
    return [...client.seen.keys()].at(-1);
  }

  /**
   * Each answer 200 names an event that a client has seen, with exactly that content. The exceptions that a kill allows:
   * at most one event a publisher was taken by the daemon in its last moment (later than all that were seen of that
   * daemon), and events from when nobody had come back yet say so with `receivers` 0.
   */
  function checkClaims(publishers, clients) {
    const seen = new Map(clients.flatMap((client) => [...client.seen]));
    const range = new Map(); // epoch -> {first, last} sequence seen
    for (const id of seen.keys()) {
      const [epoch, text] = id.split('-');
      const sequence = BigInt(text);
      const { first = sequence, last = sequence } = range.get(epoch) ?? {};
      range.set(epoch, { first: sequence < first ? sequence : first, last: sequence > last ? sequence : last });
    }
    assert.equal(range.size, 4, 'four daemons were seen');
    const claimed = new Set();
    const lastMoment = new Map();
    for (const [index, publisher] of publishers.entries()) {
      for (const answer of publisher.answers.filter(({ status }) => status === 200)) {
        const id = `${answer.epoch}-${answer.sequence}`;
        assert.equal(claimed.has(id), false, `${id} was claimed twice`);
        claimed.add(id);
        const bounds = range.get(answer.epoch);
        assert.ok(bounds, `no daemon had the epoch of ${id}`);
        if (seen.has(id)) {
          assert.equal(seen.get(id), `${index}/${answer.number}`, id);
        } else if (BigInt(answer.sequence) > bounds.last) {
          const key = `${answer.epoch} ${index}`;
          lastMoment.set(key, (lastMoment.get(key) ?? 0) + 1);
        } else {
          assert.equal(answer.receivers, 0, `${id} was claimed for ${answer.receivers} receivers; nobody saw it`);
        }
      }
    }
    for (const [key, count] of lastMoment) {
      assert.equal(count, 1, `publisher and daemon ${key}: ${count} events were claimed that nobody saw`);
    }
  }
});

describe('the daemon hangs', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('hang', {
      handlers: 1,
      config: { publish: { time_limit: '300ms', down_time_limit: '50ms' } },
    });
  });
  after(() => stack?.stop());

  test('posts are answered 503, and one that is tried again with its id is delivered once', async () => {
    const client = await stack.subscribe(['a']);
    const body = { id: 'again', ep: ['a'], e: { type: 'again' } };
    stack.taker.signal('SIGSTOP');
    try {
      for (let i = 0; i < 3; i++) {
        const answer = await stack.post(body);
        assert.equal(answer.status, 503, answer.text);
        assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
      }
    } finally {
      stack.taker.signal('SIGCONT');
    }
    await until('the post succeeds', async () => (await stack.post(body)).status === 200);
    await stack.publishInTheEnd('a', 'last');
    const frames = await client.takeUntil('last');
    assert.deepEqual(
      frames.map((frame) => frame.json.e.type),
      ['connected', 'again', 'last'],
    );
    await client.close();
  });
});

describe('there is no daemon at first', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('late', { handlers: 1, config: { publish: { time_limit: '300ms' } } });
  });
  after(() => stack?.stop());

  test('a handler that is started before the daemon finds it when it comes', async () => {
    await stack.endTaking();
    assert.equal(await stack.daemon.ended, 0);
    const [old] = stack.handlers.splice(0, 1);
    assert.equal(await old.end(), 0);
    const handler = stack.startHandler();
    await handler.until('it answers', async () => (await stack.post({ ep: ['a'], e: { type: 'x' } })).status === 503);
    await stack.startTaking();
    const client = await stack.subscribe(['a']);
    await until('a post succeeds', async () => (await stack.post({ ep: ['a'], e: { type: 'x' } })).status === 200);
    await client.takeUntil('x');
    await client.close();
  });
});

describe('a worker is killed', () => {
  let stack;
  beforeEach(async () => {
    stack = await Stack.start('worker', { handlers: 1, workers: 2 });
  });
  afterEach(() => stack?.stop());

  test('another takes its place, and the log says so', async () => {
    const [handler] = stack.handlers;
    const [victim, other] = handler.children();
    process.kill(victim, 'SIGKILL');
    const children = await until('there are two workers again', () => {
      const now = handler.children();
      return now.length === 2 && !now.includes(victim) && now;
    });
    assert.ok(children.includes(other), 'the other one went on');
    await handler.untilLog(new RegExp(`${victim}\\b`));
    for (let i = 0; i < 20; i++) {
      await stack.publish('a', 'x');
    }
  });

  test('SIGTERM ends all of them', async () => {
    const [handler] = stack.handlers;
    const children = handler.children();
    assert.equal(await handler.end(), 0);
    for (const pid of children) {
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    }
  });
});
