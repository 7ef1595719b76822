'use strict';

const fs = require('node:fs');
const net = require('node:net');

/** A line to a Unix socket, on a Unix socket of its own, which can be cut at chosen moments. */
class Relay {
  static async start(path, target) {
    const relay = new Relay();
    relay.path = path;
    relay.target = target;
    relay.lines = new Set();
    relay.cuts = 0; // answers that were lost
    fs.rmSync(path, { force: true });
    relay.server = net.createServer((near) => relay.#join(near));
    await new Promise((resolve) => relay.server.listen(path, resolve));
    return relay;
  }

  #join(near) {
    const far = net.connect(this.target);
    const line = { near, far, isDoomed: false, kept: undefined, subscribes: false };
    this.lines.add(line);
    const end = () => {
      near.destroy();
      far.destroy();
      this.lines.delete(line);
    };
    near.on('data', (bytes) => {
      if (this.doom && bytes.includes(this.doom)) {
        this.doom = undefined;
        line.isDoomed = true;
      }
      if (bytes.includes('SUBSCRIBE')) line.subscribes = true;
      if (this.held && bytes.includes(this.held)) {
        this.held = undefined;
        line.kept = [];
      }
      if (line.kept) line.kept.push(bytes);
      else far.write(bytes);
    });
    far.on('data', (bytes) => {
      if (line.isDoomed) {
        this.cuts += 1;
        end();
      } else if (!this.isMute) {
        near.write(bytes);
      }
    });
    for (const socket of [near, far]) {
      socket.on('error', end);
      socket.on('close', end);
    }
  }

  /** Loses the answer to the next thing that has this word in it, and cuts its line. */
  loseAnswerTo(word) {
    this.doom = word;
  }

  /** Keeps back the next thing that has this word in it, and all that is said on its line from then on. */
  hold(word) {
    this.held = word;
  }

  get holds() {
    return [...this.lines].some(({ kept }) => kept);
  }

  release() {
    for (const line of this.lines) {
      line.kept?.forEach((bytes) => line.far.write(bytes));
      line.kept = undefined;
    }
  }

  /** Whoever comes from here on is led to another socket; of those who are there, some stay where they are: who is held. */
  leadTo(target, stays = ({ kept }) => kept) {
    this.target = target;
    this.#cut((line) => !stays(line));
  }

  /** Nothing comes back from here on, on any line, though all arrives; until it is said otherwise. */
  mute(isMute) {
    this.isMute = isMute;
    if (!isMute) this.cut();
  }

  cut() {
    this.#cut(() => true);
  }

  #cut(isIt) {
    for (const line of [...this.lines].filter(isIt)) {
      line.near.destroy();
      line.far.destroy();
    }
  }

  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

module.exports = { Relay };
