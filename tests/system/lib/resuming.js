'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { Stack } = require('./stack');
const { Subscriber } = require('./subscriber');
const { Upgradable } = require('./upgrades');
const { pause, until } = require('./wait');

const BATCH_SOURCES = 4;
const MAX_EVENTS = 1000; // of a batch
const SETTLE_MS = 60_000;

function chance(list) {
  return list[Math.floor(Math.random() * list.length)];
}

/** Posts numbered events on one topic, one after the other, each again with its id until it is answered 200. */
class Source {
  acknowledged = 0; // events 0 .. acknowledged - 1
  refusals = 0;
  longestWait = 0; // ms from the first try to 200

  constructor(stack, topic, intervalMs) {
    this.topic = topic;
    this.parts = [this];
    this.done = this.#run(stack, intervalMs);
  }

  async #post(stack, number) {
    const began = Date.now();
    const body = { id: `${this.topic}#${number}`, ep: [this.topic], e: { type: 'n', detail: number } };
    for (;;) {
      const { status, text } = await stack.post(body);
      if (status === 200) {
        this.longestWait = Math.max(this.longestWait, Date.now() - began);
        return;
      }
      assert.equal(status, 503, text);
      this.refusals++;
      await pause(20);
    }
  }

  async #run(stack, intervalMs) {
    const began = Date.now();
    await pause(Math.random() * intervalMs);
    for (let number = 0; !this.isStopped; number++) {
      await this.#post(stack, number);
      this.acknowledged = number + 1;
      await pause(Math.max(0, began + number * intervalMs - Date.now()));
    }
  }
}

/**
 * Posts numbered events on its topics in batches of up to `most`, those again with their ids that were not answered 200. What is taken of a
 * batch is its beginning, so that order is kept.
 */
class BatchSource {
  #due = []; // events that were not answered 200
  #next;

  constructor(stack, topics, intervalMs, most) {
    this.parts = topics.map((topic) => ({ topic, acknowledged: 0, refusals: 0, longestWait: 0 }));
    this.#next = topics.map(() => 0);
    this.done = this.#run(stack, intervalMs, most);
  }

  #add(most) {
    for (let count = 1 + Math.floor(Math.random() * most); count > 0; count--) {
      const part = Math.floor(Math.random() * this.parts.length);
      this.#due.push({ part, number: this.#next[part]++, since: Date.now() });
    }
  }

  #body() {
    return this.#due.slice(0, MAX_EVENTS).map(({ part, number }) => {
      const { topic } = this.parts[part];
      return { id: `${topic}#${number}`, ep: [topic], e: { type: 'n', detail: number } };
    });
  }

  async #post(stack) {
    const posts = this.#body();
    const answer = Math.random() < 0.5
      ? await stack.post({ events: posts })
      : await stack.post(posts.map((post) => JSON.stringify(post)).join('\n'), { headers: { 'Content-Type': 'application/x-ndjson' } });
    if (answer.status !== 200) {
      assert.ok([502, 503, 504].includes(answer.status), `${answer.status} ${answer.text.slice(0, 300)}`); // the handler was killed: nothing is known
      return;
    }
    const { events } = answer.json;
    assert.equal(events.length, posts.length);
    const taken = events.findIndex(({ status }) => status !== 200);
    this.#settle(taken < 0 ? events.length : taken, events);
  }

  #settle(taken, events) {
    for (const { part, number, since } of this.#due.splice(0, taken)) {
      const source = this.parts[part];
      assert.equal(number, source.acknowledged, `${source.topic}: another one was answered 200`);
      source.acknowledged++;
      source.longestWait = Math.max(source.longestWait, Date.now() - since);
    }
    for (const [index, { status, error }] of events.slice(taken).entries()) {
      assert.equal(status, 503, `${status} ${error}: behind the first that was not taken none is`);
      this.parts[this.#due[index].part].refusals++;
    }
  }

  async #run(stack, intervalMs, most) {
    for (const began = Date.now(), pauses = [0]; !this.isStopped || this.#due.length > 0; pauses[0]++) {
      if (!this.isStopped && this.#due.length < 5 * most) {
        this.#add(most);
      }
      await this.#post(stack);
      await pause(this.#due.length > 0 ? 20 : Math.max(0, began + pauses[0] * intervalMs - Date.now()));
    }
  }
}

/** A client that comes and goes at random and resumes from the last frame it had. */
class Wanderer {
  next = new Map(); // topic -> number of the event that is due
  events = 0;
  visits = 0;
  refused = 0; // tries while the daemon was away
  lastSequence = -1n;
  #silent = []; // streams that were left without a word

  constructor(stack, topics, index, longestVisitMs) {
    this.stack = stack;
    this.index = index;
    this.patterns = index % 2 === 0 ? topics : ['t/+'];
    this.longestVisitMs = longestVisitMs;
    for (const topic of topics) {
      this.next.set(topic, 0);
    }
  }

  start() {
    this.done = this.#run();
    this.done.catch(() => {});
    return until(`client ${this.index} is there`, () => this.visits > 0);
  }

  #take({ json }) {
    this.lastId = json.id;
    if (json.e.type !== 'n') {
      return;
    }
    const topic = json.ep.emitted;
    const sequence = BigInt(json.id.split('-')[1]);
    const where = `client ${this.index}, visit ${this.visits}, ${topic}, id ${json.id}`;
    assert.equal(json.e.detail, this.next.get(topic), `${where}: another event was due`);
    assert.ok(sequence > this.lastSequence, `${where}: came after ${this.lastSequence}`);
    this.next.set(topic, json.e.detail + 1);
    this.lastSequence = sequence;
    this.events++;
  }

  async #visit() {
    const { lastId, proof } = this;
    const body = { ep: this.patterns, clid: `wanderer-${this.index}` };
    if (lastId) {
      body.last_id = lastId;
    }
    if (proof && Math.random() < 0.5) {
      Object.assign(body, proof);
    }
    const stream = {};
    const onFrame = (frame) => {
      if (!stream.isLeft && !this.fault) {
        try {
          this.#take(frame);
        } catch (error) {
          this.fault = error;
        }
      }
    };
    try {
      stream.subscriber = await Subscriber.open(`${this.stack.url}/`, body, { onFrame });
    } catch {
      this.refused++;
      await pause(20);
      return undefined;
    }
    const { connid, secret, recovered } = stream.subscriber.connected;
    this.proof = { connid, secret };
    this.visits++;
    if (lastId && recovered !== true) {
      this.fault ??= new Error(`client ${this.index} was told that ${lastId} cannot be resumed`);
    }
    return stream;
  }

  /** Leaves as clients do: with a word, with a reset, or without any, as one whose network is gone. */
  async #leave(stream) {
    stream.isLeft = true;
    const { subscriber } = stream;
    switch (chance(['close', 'reset', 'silence'])) {
      case 'close':
        return subscriber.close();
      case 'reset':
        return subscriber.isOver ? undefined : subscriber.reset();
      default:
        subscriber.pause();
        this.#silent.push(subscriber);
        return this.#silent.length > 3 ? this.#silent.shift().close() : undefined;
    }
  }

  async #run() {
    while (!this.isStopped && !this.fault) {
      const stream = await this.#visit();
      if (!stream) {
        continue;
      }
      const end = Date.now() + Math.random() * this.longestVisitMs;
      while (!stream.subscriber.isOver && !this.fault && !this.isStopped && Date.now() < end) {
        await pause(10);
        stream.subscriber.frames.length = 1;
      }
      if (this.isStopped) {
        this.last = stream.subscriber;
        return;
      }
      await this.#leave(stream);
      await pause(Math.random() * this.longestVisitMs * 0.3);
    }
    if (this.fault) {
      throw this.fault;
    }
  }

  hasAll(sources) {
    if (this.fault) {
      throw this.fault;
    }
    return sources.every((source) => this.next.get(source.topic) === source.acknowledged);
  }

  /** Stays from now on. */
  async settle(sources) {
    this.isStopped = true;
    await this.done;
    const began = Date.now();
    for (;;) {
      if (Date.now() > began + SETTLE_MS) {
        const lacks = sources.filter(({ topic, acknowledged }) => this.next.get(topic) !== acknowledged);
        const words = lacks.map(({ topic, acknowledged }) => `${topic}: ${this.next.get(topic)} of ${acknowledged}`);
        throw new Error(`client ${this.index}, ${this.last?.isOver ? 'away' : 'connected'} with ${this.lastId}, lacks ${words.join(', ')}`);
      }
      while (!this.last || this.last.isOver) {
        this.last = (await this.#visit())?.subscriber;
      }
      if (this.hasAll(sources)) {
        return;
      }
      await pause(10);
    }
  }

  async end() {
    this.isStopped = true;
    await this.done?.catch(() => {});
    for (const subscriber of [this.last, ...this.#silent]) {
      await subscriber?.close();
    }
  }
}

function sum(list, of) {
  return list.reduce((total, item) => total + of(item), 0);
}

/** Kills the daemon so many times, at moments spread at random over the time, and leaves it dead for a while. */
async function killNowAndThen(stack, { kills, durationMs, longestOutageMs, killsWorkers }, isFaulty) {
  const outages = [];
  for (let kill = 0; kill < kills && !isFaulty(); kill++) {
    const part = durationMs / (kills + 1);
    await pause(part * (0.5 + Math.random()));
    const began = Date.now();
    if (killsWorkers) {
      process.kill(chance(stack.handlers[0].children()), 'SIGKILL');
      await pause(part * 0.3 * Math.random());
    }
    stack.daemon.signal('SIGKILL');
    assert.equal(await stack.daemon.ended, 'SIGKILL');
    await pause(Math.random() * longestOutageMs);
    await stack.startDaemon();
    outages.push(Date.now() - began);
  }
  return outages;
}

/** Replaces the daemon's program again and again, until isOver(); gives how often. */
async function upgradeNowAndThen(stack, { upgradeEveryMs }, isOver) {
  for (let upgrades = 0; ; upgrades++) {
    const next = Date.now() + upgradeEveryMs * (0.5 + Math.random());
    while (Date.now() < next && !isOver()) {
      await pause(20);
    }
    if (isOver()) {
      return upgrades;
    }
    await stack.upgrade();
  }
}

/** Each topic has a source of its own; with batches, some topics share one. */
function startSources(stack, topics, { rate, batch }) {
  if (!batch) {
    return topics.map((topic) => new Source(stack, topic, (1000 * topics.length) / rate));
  }
  const size = Math.ceil(topics.length / BATCH_SOURCES);
  const groups = Array.from({ length: BATCH_SOURCES }, (_, i) => topics.slice(i * size, (i + 1) * size)).filter((group) => group.length > 0);
  return groups.map((group) => new BatchSource(stack, group, (1000 * groups.length * (batch + 1)) / 2 / rate, batch));
}

async function publishFor(stack, topics, options, isFaulty) {
  const { durationMs, kills = 0 } = options;
  const sources = startSources(stack, topics, options);
  const failed = Promise.all(sources.map((source) => source.done));
  failed.catch(() => {}); // told below
  const began = Date.now();
  const isOver = () => Date.now() >= began + durationMs || isFaulty();
  const upgrading = options.upgradeEveryMs ? upgradeNowAndThen(stack, options, isOver) : 0;
  const outagesMs = options.disturb ? await options.disturb(isOver) : await killNowAndThen(stack, { ...options, kills }, isFaulty);
  while (!isOver()) {
    await pause(20);
  }
  const upgrades = await upgrading;
  const seconds = (Date.now() - began) / 1000;
  for (const source of sources) {
    source.isStopped = true;
  }
  await failed;
  return { sources: sources.flatMap((source) => source.parts), seconds, outagesMs, upgrades };
}

async function runOn(stack, clients, topics, options) {
  await Promise.all(clients.map((client) => client.start()));
  const isFaulty = () => clients.some((client) => client.fault);
  const { sources, seconds, outagesMs, upgrades } = await publishFor(stack, topics, options, isFaulty);
  await Promise.all(clients.map((client) => client.settle(sources)));
  const state = await stack.look('/state');
  return {
    seconds,
    topics: topics.length,
    acknowledged: sum(sources, (source) => source.acknowledged),
    refusals: sum(sources, (source) => source.refusals),
    longestWaitMs: Math.max(...sources.map((source) => source.longestWait)),
    clients: clients.length,
    visits: sum(clients, (client) => client.visits),
    received: sum(clients, (client) => client.events),
    outagesMs,
    upgrades,
    replayedSinceLastStart: state.replayed,
    doublesSinceLastStart: state.events_doubled,
  };
}

async function startStack(label, workers, log, { upgradeEveryMs }) {
  const settings = { handlers: 1, workers, config: { messages: { level: 'info' } } };
  const prepare = (stack) => {
    stack.config.log = Object.fromEntries(
      Object.entries(log).map(([key, value]) => [key, String(value).replace('$', path.join(stack.folder, ''))]),
    );
  };
  if (upgradeEveryMs) {
    return Upgradable.start(label, { ...settings, prepare });
  }
  const stack = new Stack(label, settings);
  prepare(stack);
  await stack.start();
  return stack;
}

/** The same on what runs already (url, post, look, as a Stack), which `disturb(isOver)` kills as it likes; gives what that gave as outagesMs. */
async function runResumingOn(stack, options) {
  const { topicCount = 20, clientCount, longestVisitMs } = options;
  const topics = Array.from({ length: topicCount }, (_, i) => `t/${i}`);
  const clients = Array.from({ length: clientCount }, (_, i) => new Wanderer(stack, topics, i, longestVisitMs));
  try {
    return await runOn(stack, clients, topics, options);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/**
 * Clients come and go under a steady flow of events, and the daemon is killed now and then: every client has every event
 * that was answered 200 once and in order. Gives figures. `log` is the section of that name; `$` stands for the folder. `batch`: events are
 * posted in batches of up to so many. `killsWorkers`: with the daemon, workers of esn-event are killed. `upgradeEveryMs`: instead of being
 * killed, the daemon hands over to a new program after so long, on average.
 */
async function runResuming(label, options) {
  const { topicCount = 20, log = {} } = options;
  const stack = await startStack(label, topicCount, log, options);
  try {
    return await runResumingOn(stack, options);
  } finally {
    await stack.stop();
  }
}

module.exports = { Source, runResuming, runResumingOn };
