'use strict';

const assert = require('node:assert/strict');
const { Subscriber } = require('./subscriber');
const { pause } = require('./wait');

/**
 * Hears the topics of a pattern, and comes back with its last id whenever its stream is lost. Of each topic the events of type `n` have
 * to be numbered from 1, each once and in order; else it has a `fault`.
 */
class Follower {
  heard = new Map(); // topic -> the last number
  events = 0;
  visits = 0;

  /** onEvent: is given each, as JSON. */
  constructor(stack, pattern, onEvent = () => {}) {
    Object.assign(this, { stack, pattern, onEvent });
    this.done = this.#run();
    this.done.catch(() => {});
  }

  #take({ json }) {
    this.lastId = json.id;
    if (json.e.type === 'n') {
      const due = (this.heard.get(json.ep.emitted) ?? 0) + 1;
      assert.equal(json.e.detail, due, `${json.ep.emitted}: another event was due (${json.id})`);
      this.heard.set(json.ep.emitted, due);
      this.events++;
      this.onEvent(json);
    }
  }

  async #visit() {
    const onFrame = (frame) => {
      try {
        this.fault || this.#take(frame);
      } catch (error) {
        this.fault = error;
      }
    };
    const body = { ep: [this.pattern], ...(this.lastId && { last_id: this.lastId }) };
    const isBack = this.lastId !== undefined;
    this.stream = await Subscriber.open(`${this.stack.url}/`, body, { onFrame });
    this.visits++;
    assert.ok(!isBack || this.stream.connected.recovered === true, 'it was told that something may be missing');
  }

  async #run() {
    while (!this.isStopped && !this.fault) {
      try {
        await this.#visit();
      } catch (error) {
        this.fault ??= error instanceof assert.AssertionError ? error : undefined;
        await pause(20);
        continue;
      }
      while (!this.stream.isOver && !this.isStopped && !this.fault) {
        await pause(20);
        this.stream.frames.length = 0;
      }
    }
  }

  async stop() {
    this.isStopped = true;
    await this.done;
    await this.stream?.close();
  }
}

module.exports = { Follower };
