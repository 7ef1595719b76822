'use strict';

// What a process that holds clients has to do with each of its kinds: open them side by side, and print "all N connected" then,
// and "events M" whenever M, the number of events of all of them, is a multiple of N.

const PARALLEL = 100;

class Holding {
  #opened = 0;
  #events = 0;

  constructor(count) {
    this.count = count;
  }

  noteEvent() {
    this.#events++;
    if (this.#events % this.count === 0) {
      console.log(`events ${this.#events}`);
    }
  }

  /** `open(index)` resolves when that client is connected. */
  async openAll(open) {
    const openSome = async () => {
      while (this.#opened < this.count) {
        await open(this.#opened++);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, openSome));
    console.log(`all ${this.count} connected`);
  }
}

module.exports = { Holding };
