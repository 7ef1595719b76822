'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { Program } = require('./program');
const { pause, until } = require('./wait');

/** What healthy clients notice of an attack on the daemon. */
class Attacked {
  #attackers = [];
  #healthy = [];
  #delays = [];
  #sent = 0;

  constructor(stack) {
    this.stack = stack;
  }

  /** Over TCP, or over a unix socket. */
  async addHealthy(count, topics, socketPath) {
    const open = () =>
      this.stack.subscribe(
        { ep: topics, clid: 'healthy' },
        {
          socketPath,
          onFrame: ({ json }) => {
            if (json.e.type === 'n') {
              this.#delays.push(Date.now() - json.e.detail.at);
            }
          },
        },
      );
    for (let i = 0; i < count; i += 50) {
      const some = Array.from({ length: Math.min(50, count - i) }, open);
      this.#healthy.push(...(await Promise.all(some)));
    }
  }

  /** The same with several processes, which share the clients out. */
  async attackWith(processes, kind, count, words, wrapper) {
    const share = (i) => Math.floor(((i + 1) * count) / processes) - Math.floor((i * count) / processes);
    return Promise.all(Array.from({ length: processes }, (_, i) => this.attack(kind, share(i), words, wrapper)));
  }

  /** Starts a process of hostile clients (attacker.js). */
  async attack(kind, count, words = [], wrapper = []) {
    const name = `${kind}-${this.#attackers.length}`;
    const attacker = new Program(
      name,
      [
        ...wrapper,
        ...[process.execPath, path.join(__dirname, 'attacker.js'), kind],
        ...['--port', String(this.stack.port), '--count', String(count), ...words],
      ],
      { log: path.join(this.stack.folder, `${name}.log`) },
    );
    this.#attackers.push(attacker);
    await attacker.until('all attackers are there', () => attacker.output().includes('ready'));
    return attacker;
  }

  async endAttackers() {
    await Promise.all(this.#attackers.map((attacker) => attacker.end('SIGKILL')));
    this.#attackers = [];
  }

  /** Publishes numbers on `topic` until the promise is settled, about `rate` a second; gives what it gives. */
  async publishDuring(promise, { topic = 'a', rate = 100 } = {}) {
    let isOver = false;
    const watched = promise.finally(() => {
      isOver = true;
    });
    watched.catch(() => {});
    while (!isOver) {
      await this.stack.publish(topic, 'n', { n: this.#sent++, at: Date.now() });
      await pause(1000 / rate);
    }
    return watched;
  }

  /**
   * Every healthy client has had every number, once and in order. Gives how many there were and how late they came, and
   * begins anew.
   */
  async check(topic = 'a') {
    const taken = await this.stack.drain(topic, ...this.#healthy);
    const expected = Array.from({ length: this.#sent }, (_, i) => i);
    for (const frames of taken) {
      const numbers = frames.filter((frame) => frame.json.e.type === 'n').map((frame) => frame.json.e.detail.n);
      assert.deepEqual(numbers, expected);
    }
    const delays = this.#delays.sort((a, b) => a - b);
    const figures = { events: this.#sent, clients: this.#healthy.length, lateMs: {} };
    for (const [name, part] of [
      ['half', 0.5],
      ['99 %', 0.99],
      ['longest', 1],
    ]) {
      figures.lateMs[name] = delays[Math.max(0, Math.ceil(delays.length * part) - 1)];
    }
    this.#sent = 0;
    this.#delays = [];
    return figures;
  }

  /** After an attack /connections counts the healthy ones and nobody else, and their sockets are all there are. */
  async checkCounts() {
    const count = this.#healthy.length;
    const counts = await this.stack.untilTotal(count);
    assert.deepEqual(counts, { healthy: count, '@TOTAL@': count });
    await until('the attackers are forgotten', async () => {
      this.lastState = await this.stack.look('/state');
      return this.lastState.sockets === count + 1; // the one that asks
    }).catch((error) => {
      throw new Error(`${error.message}; sockets: ${this.lastState?.sockets} for ${count} clients`);
    });
  }

  async stop() {
    await this.endAttackers();
    await Promise.all(this.#healthy.map((client) => client.close()));
    await this.stack.untilTotal(0);
  }
}

module.exports = { Attacked };
