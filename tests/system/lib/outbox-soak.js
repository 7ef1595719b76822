'use strict';

// PHP writers with random rollbacks, and everything killed at random moments: what is heard is what was committed, each once,
// in the order of each queue.

const assert = require('node:assert/strict');
const path = require('node:path');
const { Follower } = require('./follower');
const { Outbox } = require('./outbox');
const { tool } = require('./paths');
const { Program } = require('./program');
const { pause, until } = require('./wait');

const chance = (list) => list[Math.floor(Math.random() * list.length)];

class Soak {
  kills = { writer: 0, worker: 0, daemon: 0, database: 0 };
  #names = 0;

  constructor(outbox, { writers, queues, pauseUs }) {
    this.outbox = outbox;
    this.options = { writers, queues, pauseUs };
    this.follower = new Follower(outbox.stack, 'q/+');
    this.writers = [];
  }

  async prepare() {
    const rows = Array.from({ length: this.options.queues }, (_, i) => `INSERT INTO outbox_counters VALUES ('q/${i}', 0);\n`);
    await this.outbox.sql(`CREATE TABLE outbox_counters (queue VARCHAR(20) PRIMARY KEY, n INTEGER NOT NULL);\n${rows.join('')}`);
    await until('somebody listens', () => this.follower.visits > 0);
    await this.startWorker();
    await this.startWorker();
    for (let i = 0; i < this.options.writers; i++) {
      this.startWriter(i);
    }
  }

  /** One doorbell: whoever was started last has it. */
  startWorker() {
    return this.outbox.startWorker();
  }

  startWriter(index) {
    const { outbox, options } = this;
    const command = [tool('php', 'php-cli'), path.join(__dirname, 'outbox-writer.php'), outbox.dsn, `unix:${outbox.doorbell}`];
    const seed = String(Math.floor(Math.random() * 2 ** 31));
    this.writers[index] = new Program(`writer-${index}-${this.#names++}`, [...command, String(options.queues), String(options.pauseUs), seed], {
      log: path.join(outbox.stack.folder, 'writers.log'),
    });
  }

  async kill(what) {
    const { outbox } = this;
    this.kills[what]++;
    if (what === 'writer') {
      const index = Math.floor(Math.random() * this.writers.length);
      await this.writers[index].end('SIGKILL');
      this.startWriter(index);
    } else if (what === 'worker') {
      await chance(outbox.workers.filter((worker) => worker.isRunning)).end('SIGKILL');
      await this.startWorker();
    } else if (what === 'daemon') {
      await outbox.stack.daemon.end('SIGKILL');
      await pause(Math.random() * 500);
      await outbox.stack.startDaemon();
    } else {
      await outbox.mariadb.program.end('SIGKILL');
      await pause(Math.random() * 500);
      await outbox.mariadb.start();
    }
  }

  async killFor(ms, pauseMs) {
    const victims = ['writer', 'worker', 'daemon', ...(this.outbox.mariadb ? ['database'] : [])];
    const end = Date.now() + ms;
    // Each of them at least once.
    for (let next = 0; !this.follower.fault && (Date.now() < end || next < victims.length); next++) {
      await pause((0.5 + Math.random()) * pauseMs);
      await this.kill(next < victims.length ? victims[next] : chance(victims));
    }
  }

  async committed() {
    const lines = (await this.outbox.sql('SELECT queue, n FROM outbox_counters;')).split('\n').slice(0, -1);
    return new Map(lines.map((line) => line.split('\t')).map(([queue, n]) => [queue, Number(n)]));
  }

  /** No more is written: all that was committed is heard, and nothing else. */
  async settle() {
    await Promise.all(this.writers.map((writer) => writer.end('SIGKILL')));
    const committed = await until('the database tells what was committed', () => this.committed());
    const { follower } = this;
    const isAll = () => [...committed].every(([queue, n]) => (follower.heard.get(queue) ?? 0) === n);
    await until('all is heard', () => follower.fault || isAll(), 120_000).catch((error) => {
      const missing = [...committed].filter(([queue, n]) => follower.heard.get(queue) !== n);
      throw new Error(`${error.message}: ${missing.map(([queue, n]) => `${queue} ${follower.heard.get(queue)} of ${n}`)}`);
    });
    await until('the table is empty', async () => (await this.outbox.rows('id')).length === 0);
    if (follower.fault) {
      throw follower.fault;
    }
    assert.ok(isAll());
    return [...committed.values()].reduce((sum, n) => sum + n, 0);
  }

  async stop() {
    await Promise.all(this.writers.filter((writer) => writer.isRunning).map((writer) => writer.end('SIGKILL')));
    await this.follower.stop();
  }
}

/** Options: database, ms, pauseMs (between two kills), writers, queues, pauseUs (between two transactions). Gives figures. */
async function runOutboxSoak(label, { database, ms, pauseMs, writers = 16, queues = 8, pauseUs = 50_000 }) {
  const outbox = await Outbox.start(label, {
    database,
    durable: true,
    config: {
      log: { path: '$/log', sync: 'always', max_age: '1h' },
      publish: { time_limit: '2s', down_time_limit: '20ms' },
      fanout: { retry_time: '100ms' },
      outbox: { retry_time: '200ms' },
      messages: { level: 'info' },
    },
  });
  const soak = new Soak(outbox, { writers, queues, pauseUs });
  const began = Date.now();
  try {
    await soak.prepare();
    await soak.killFor(ms, pauseMs);
    const committed = await soak.settle();
    const state = await outbox.stack.look('/state');
    return {
      database, seconds: (Date.now() - began) / 1000, writers, queues, committed, heard: soak.follower.events,
      kills: soak.kills, visits: soak.follower.visits, doublesSinceLastStart: state.events_doubled,
    };
  } finally {
    await soak.stop();
    await outbox.stop();
  }
}

module.exports = { runOutboxSoak };
