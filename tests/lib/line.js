'use strict';

// The line between two parts, which a test bends: TCP or a Unix socket, passed on byte by byte.

const net = require('node:net');
const { freePort } = require('../system/lib/ports');

const QUEUE_LIMIT = 1 << 20; // bytes under way in one direction
const ASKED_LIMIT = 1 << 16; // bytes of a request in which a pattern is looked for

/** One direction of a connection. What comes out came in `line.delay` ms before, in order, unless the line stands still. */
class Direction {
  #queue = []; // {at: when it may go on, bytes: undefined at the end}
  #size = 0;
  #timer;
  isLost = false; // what comes is thrown away

  constructor(line, from, to) {
    Object.assign(this, { line, from, to });
    from.on('data', (bytes) => this.#take(bytes));
    from.on('end', () => this.#take(undefined));
    to.on('drain', () => this.pump());
  }

  #take(bytes) {
    if (this.isLost) return;
    this.#queue.push({ at: performance.now() + this.line.delay, bytes });
    this.#size += bytes?.length ?? 0;
    if (this.#size > QUEUE_LIMIT) this.from.pause();
    this.pump();
  }

  pump() {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && !this.line.isStanding && !this.to.writableNeedDrain && !this.to.destroyed) {
      const wait = this.#queue[0].at - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      const { bytes } = this.#queue.shift();
      this.#size -= bytes?.length ?? 0;
      if (bytes) this.to.write(bytes);
      else this.to.end();
    }
    if (this.#size <= QUEUE_LIMIT) this.from.resume();
  }

  lose() {
    this.isLost = true;
    this.#queue = [];
    this.#size = 0;
  }

  stop() {
    clearTimeout(this.#timer);
  }
}

/** libuv resets no socket that was shut down already, and Node would then wait for its end for ever. */
function reset(socket) {
  if (socket.writableEnded || !socket.remotePort) socket.destroy(); // a Unix socket knows no reset
  else socket.resetAndDestroy();
}

class Connection {
  #asked = ''; // what the client has said since the last answer

  constructor(line, client) {
    const server = net.connect({ allowHalfOpen: true, ...line.target });
    this.line = line;
    this.client = client;
    this.server = server;
    this.up = new Direction(line, client, server);
    this.down = new Direction(line, server, client);
    client.on('data', (bytes) => this.#look(bytes));
    server.prependListener('data', () => this.#answered());
    for (const socket of [client, server]) {
      line.sockets.add(socket);
      socket.on('close', () => line.sockets.delete(socket));
      socket.setNoDelay(true);
      socket.on('error', () => {}); // "close" follows
      socket.on('close', () => this.#closed());
    }
  }

  #look(bytes) {
    const { toLose } = this.line;
    this.#asked = (this.#asked + bytes.toString('latin1')).slice(-ASKED_LIMIT);
    if (!toLose?.pattern.test(this.#asked)) return;
    this.line.toLose = undefined;
    this.lost = toLose;
  }

  #answered() {
    this.#asked = '';
    if (!this.lost || this.down.isLost) return;
    this.down.lose();
    if (this.lost.isCut) this.cut();
    this.lost.resolve();
  }

  pump() {
    this.up.pump();
    this.down.pump();
    if (this.client.destroyed !== this.server.destroyed) this.#part();
  }

  cut() {
    for (const socket of [this.client, this.server]) {
      if (!socket.destroyed) reset(socket);
    }
  }

  #closed() {
    if (this.client.destroyed && this.server.destroyed) {
      this.up.stop();
      this.down.stop();
      this.line.connections.delete(this);
    } else if (!this.line.isStanding) {
      this.#part();
    }
  }

  /** One side is gone: nobody waits for what the other says, and a reset goes on as one. */
  #part() {
    const [gone, left, back] = this.client.destroyed ? [this.client, this.server, this.down] : [this.server, this.client, this.up];
    back.lose();
    if (gone.errored) reset(left);
    else left.resume(); // what is not read keeps a socket from seeing its end
  }
}

class Line {
  delay = 0; // ms, each way
  isStanding = false;
  connections = new Set();
  sockets = new Set(); // of all of them, also one whose other side is gone
  toLose; // {pattern, isCut, resolve}
  #isDown = false;

  /** To a server's port, or the path of its Unix socket: then a path is given too, `line.path`. */
  static async start(target) {
    const line = new Line();
    if (typeof target === 'number') {
      line.target = { port: target, host: '127.0.0.1' };
      line.port = await freePort();
      line.url = `http://127.0.0.1:${line.port}`;
    } else {
      line.target = { path: target };
      line.path = `${target}.line`;
    }
    await line.#listen();
    return line;
  }

  async #listen() {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.connections.add(new Connection(this, client));
    });
    const place = this.path ? { path: this.path } : { port: this.port, host: '127.0.0.1' };
    await new Promise((resolve) => this.server.listen(place, resolve));
  }

  /** Resets all connections. New ones come through. */
  cut() {
    for (const connection of [...this.connections]) connection.cut();
  }

  /** Resets all connections, and nobody comes through until up(). */
  async down() {
    this.#isDown = true;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  async up() {
    if (this.#isDown) await this.#listen();
    this.#isDown = false;
  }

  /** A cable is pulled: connections stay, nothing comes through until flow(). */
  stand() {
    this.isStanding = true;
  }

  flow() {
    this.isStanding = false;
    for (const connection of this.connections) connection.pump();
  }

  /**
   * The next request whose text matches is brought to the server, the answer is thrown away: the connection is cut, or
   * with `isCut` false stays silent. Resolves when it has happened.
   */
  loseAnswer(pattern, { isCut = true } = {}) {
    return new Promise((resolve) => (this.toLose = { pattern, isCut, resolve }));
  }

  async stop() {
    this.toLose = undefined;
    if (!this.#isDown) await this.down();
    for (const socket of this.sockets) socket.destroy();
  }
}

module.exports = { Line };
