'use strict';

// Batches while the daemon and the workers of esn-event are killed, with the log on disk: each event is heard once and in order, and
// what is answered of each is so.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Follower } = require('./lib/follower');
const { Stack } = require('./lib/stack');
const { pause, until } = require('./lib/wait');

const TOGETHER = 128; // so many of a batch are given to the daemon at once
const SIZES = [1, 40, 200, 3, TOGETHER + 1];

/** Posts one batch after the other on a topic of its own, each until all of it is taken; odd ones as lines. */
class Publisher {
  published = 0;
  taken = new Map(); // event id -> number
  counts = { batches: 0, again: 0, unanswered: 0, refused: 0 };

  constructor(stack, index) {
    Object.assign(this, { stack, topic: `b/${index}`, hasLines: index % 2 === 1 });
    this.done = this.#run();
    this.done.catch(() => {});
  }

  async #run() {
    while (!this.isStopped) {
      const size = SIZES[this.counts.batches++ % SIZES.length];
      const posts = this.posts(this.published + 1, size);
      while (!(await this.#isTaken(posts))) {
        this.counts.again++;
        await pause(20);
      }
      this.published += size;
      await pause(2);
    }
  }

  posts(first, size) {
    return Array.from({ length: size }, (_, i) => first + i).map((number) => ({
      id: `${this.topic} ${number}`, ep: [this.topic], e: { type: 'n', detail: number },
    }));
  }

  /** Also when nothing came back: its worker was killed. */
  async #isTaken(posts) {
    const answer = await this.#send(posts).catch(() => ({ status: 502 }));
    if (answer.status === 502) {
      this.counts.unanswered++;
      return false;
    }
    assert.equal(answer.status, 200, answer.text);
    const events = answer.json.events;
    assert.equal(events.length, posts.length);
    events.forEach((event, i) => this.#note(event, posts[i].e.detail));
    const refused = events.findIndex(({ status }) => status !== 200);
    const held = refused < 0 ? [] : events.slice((Math.floor(refused / TOGETHER) + 1) * TOGETHER);
    assert.ok(held.every(({ error }) => error === 'An event before it was not taken'), 'no more is given to the daemon behind one that it did not take');
    return refused < 0;
  }

  #send(posts) {
    if (!this.hasLines) {
      return this.stack.post({ events: posts });
    }
    return this.stack.post(posts.map((post) => JSON.stringify(post)).join('\n'), { headers: { 'Content-Type': 'application/x-ndjson' } });
  }

  #note(event, number) {
    if (event.status !== 200) {
      // A disk may stand still on a busy machine, which is refused as well.
      assert.match(event.error, /did not acknowledge the event in time|An event before it was not taken|cannot write its log to the disk/);
      this.counts.refused++;
      return;
    }
    assert.equal(this.taken.get(event.id) ?? number, number, `${event.id} is said of two events`);
    this.taken.set(event.id, number);
  }
}

describe('batches while everything is killed', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('batches-killed', {
      handlers: 2,
      config: {
        log: { path: 'log', sync: 'always', max_age: '1h' },
        publish: { time_limit: '500ms', down_time_limit: '20ms' },
        fanout: { retry_time: '100ms' },
        messages: { level: 'info' },
      },
    });
  });
  after(() => stack?.stop());

  test('each event is heard once and in order, and answered as what became of it', async () => {
    const heard = new Map(); // event id -> topic and number
    const follower = new Follower(stack, 'b/+', ({ id, ep, e }) => heard.set(id, `${ep.emitted} ${e.detail}`));
    await until('it listens', () => follower.visits > 0);
    const publishers = Array.from({ length: 4 }, (_, index) => new Publisher(stack, index));
    const watched = Promise.all(publishers.map((publisher) => publisher.done));
    const all = (what, isSo) => Promise.race([watched, until(what, () => follower.fault || publishers.every(isSo))]);
    const more = (what, count) => {
      const marks = new Map(publishers.map((publisher) => [publisher, publisher.counts[what] + count]));
      return all(`each has ${count} ${what} more`, (publisher) => publisher.counts[what] >= marks.get(publisher));
    };
    const progress = () => more('batches', SIZES.length + 1);
    for (let round = 0; round < 3; round++) {
      await progress();
      await stack.killTaking();
      await more('again', 1);
      await stack.startTaking();
      await progress();
      for (const handler of stack.handlers) {
        process.kill(handler.children()[0], 'SIGKILL');
      }
    }
    await progress();
    publishers.forEach((publisher) => (publisher.isStopped = true));
    await watched;
    const [first] = publishers;
    const again = await stack.post({ events: first.posts(1, 50) });
    assert.ok(again.json.events.every(({ status, id, ep }, i) => status === 200 && ep[0].duplicate && first.taken.get(id) === i + 1), again.text);
    await until('all is heard', () => follower.fault || publishers.every(({ topic, published }) => follower.heard.get(topic) === published));
    await follower.stop();
    assert.equal(follower.fault, undefined);
    for (const { topic, taken, counts } of publishers) {
      for (const [id, number] of taken) {
        assert.equal(heard.get(id), `${topic} ${number}`, id);
      }
      assert.ok(counts.refused > 0 && counts.again > 0, JSON.stringify(counts));
    }
    assert.equal(heard.size, follower.events);
  });
});
