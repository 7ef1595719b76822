'use strict';

const net = require('node:net');
const tls = require('node:tls');
const { authorities } = require('./secure');
const { LIMIT_MS, within } = require('./wait');

const HEAD_END = '\r\n\r\n';

/** Takes the head off the front of `bytes`: {status, reason, headers, length}; undefined while it is not complete. */
function readHead(bytes) {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) {
    return undefined;
  }
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const match = /^HTTP\/(1\.[01]) (\d{3}) (.*)$/.exec(first);
  if (!match) {
    throw new Error(`no status line: ${JSON.stringify(first)}`);
  }
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) {
      throw new Error(`no header line: ${JSON.stringify(line)}`);
    }
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name in headers && name !== 'connection') {
      throw new Error(`header ${name} twice`);
    }
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return {
    version: match[1],
    status: Number(match[2]),
    reason: match[3],
    headers,
    length: end + HEAD_END.length,
  };
}

/** Takes whole chunks off the front: {body, isLast, length}. */
function readChunks(bytes) {
  const parts = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) {
      break;
    }
    const line = bytes.subarray(at, lineEnd).toString('latin1');
    if (!/^[0-9a-fA-F]+$/.test(line)) {
      throw new Error(`no chunk size: ${JSON.stringify(line)}`);
    }
    const size = parseInt(line, 16);
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) {
      break;
    }
    if (bytes.subarray(end, end + 2).toString('latin1') !== '\r\n') {
      throw new Error('a chunk is longer than it says');
    }
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
    if (size === 0) {
      return { body: Buffer.concat(parts), isLast: true, length: at };
    }
  }
  return { body: Buffer.concat(parts), isLast: false, length: at };
}

/** A plain TCP connection for requests that no HTTP library would send, with a strict reader of the answers. */
class RawConnection {
  static #all = new Set();

  #socket;
  #bytes = Buffer.alloc(0);
  #wake = () => {};
  isClosed = false; // by the other side: everything it sent was read
  error; // ECONNRESET and the like

  static async open(port, options = {}) {
    const connection = new RawConnection();
    RawConnection.#all.add(connection);
    await within(`a connection to port ${port}`, connection.#start(port, options));
    return connection;
  }

  /** Ends those that tests have left open, a failed one for instance. */
  static destroyAll() {
    for (const connection of RawConnection.#all) {
      connection.destroy();
    }
    RawConnection.#all.clear();
  }

  /** With `secure` by TLS; `socket` is Node's own then, for what TLS alone knows. */
  #start(port, { secure = false, ...options }) {
    return new Promise((resolve, reject) => {
      const place = { port, host: '127.0.0.1', allowHalfOpen: true, ...options };
      this.#socket = secure ? tls.connect({ ca: authorities(), ...place }, resolve) : net.connect(place, resolve);
      this.#socket.setNoDelay(true);
      this.#socket.on('data', (chunk) => {
        this.#bytes = Buffer.concat([this.#bytes, chunk]);
        this.#wake();
      });
      this.#socket.on('end', () => {
        this.isClosed = true;
        this.#wake();
      });
      this.#socket.on('error', (error) => {
        this.error = error;
        this.isClosed = true;
        reject(error);
        this.#wake();
      });
      this.#socket.on('close', () => {
        this.isClosed = true;
        this.#wake();
      });
    });
  }

  /** Resolves when the system has taken the bytes, or the connection is gone. */
  write(data) {
    return new Promise((resolve) => {
      if (this.error || this.#socket.destroyed) {
        resolve();
      } else {
        this.#socket.write(data, () => resolve());
      }
    });
  }

  get socket() {
    return this.#socket;
  }

  /** Sends FIN and goes on reading. */
  halfClose() {
    this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /** Everything that arrived and was not taken yet, as text. */
  get pending() {
    return this.#bytes.toString('latin1');
  }

  /** Waits until look() gives something; it is called whenever bytes arrive or the connection ends. */
  until(what, look, limit = LIMIT_MS) {
    const promise = new Promise((resolve, reject) => {
      this.#wake = () => {
        try {
          const value = look();
          if (value) {
            resolve(value);
          } else if (this.isClosed) {
            const got = JSON.stringify(this.pending.slice(0, 200));
            reject(new Error(`connection closed (${this.error?.code ?? 'FIN'}) before ${what}; got ${got}`));
          }
        } catch (error) {
          reject(error);
        }
      };
      this.#wake();
    });
    return within(what, promise, limit);
  }

  #take(length) {
    this.#bytes = this.#bytes.subarray(length);
  }

  /** Waits until find(bytes) gives something of a `length`, takes so many bytes off and gives it. */
  async take(what, find) {
    const found = await this.until(what, () => find(this.#bytes));
    this.#take(found.length);
    return found;
  }

  /** The head of the next answer. */
  async head() {
    const head = await this.until('the head of an answer', () => readHead(this.#bytes));
    this.#take(head.length);
    return head;
  }

  /** Body bytes of a chunked answer as they come, until condition(text of all so far) is true or the last chunk. */
  async chunks(condition) {
    let body = Buffer.alloc(0);
    let isLast = false;
    await this.until('chunks', () => {
      const taken = readChunks(this.#bytes);
      this.#take(taken.length);
      body = Buffer.concat([body, taken.body]);
      isLast = isLast || taken.isLast;
      return isLast || condition?.(body.toString());
    });
    return { text: body.toString(), isLast };
  }

  /** The next whole answer: {version, status, reason, headers, text}. */
  async answer({ hasBody = true } = {}) {
    const head = await this.head();
    if (head.headers['content-type']?.startsWith('text/plain')) {
      throw new Error(`a stream began instead of an answer: ${JSON.stringify(head)}`);
    }
    let text = '';
    if (hasBody && head.status >= 200 && head.status !== 204) {
      if (head.headers['transfer-encoding'] === 'chunked') {
        ({ text } = await this.chunks());
      } else if (head.headers['content-length'] !== undefined) {
        const length = Number(head.headers['content-length']);
        await this.until('the body of an answer', () => length === 0 || this.#bytes.length >= length);
        text = this.#bytes.subarray(0, length).toString();
        this.#take(length);
      } else {
        text = await this.rest();
      }
    }
    return { ...head, text };
  }

  /** Everything up to the end of the connection, which must not be a reset. */
  async rest() {
    await this.closed();
    if (this.error) {
      throw this.error;
    }
    const text = this.pending;
    this.#bytes = Buffer.alloc(0);
    return text;
  }

  /** Waits until the other side has ended the connection, in whatever way. */
  closed(limit = LIMIT_MS) {
    return this.until('the end of the connection', () => this.isClosed, limit);
  }
}

/** A request as text, with Host and Content-Length; headers given override both (undefined leaves one out). */
function requestText(method, target, { headers = {}, body = '', version = '1.1' } = {}) {
  const lines = { Host: 'localhost', 'Content-Length': body === '' ? undefined : Buffer.byteLength(body), ...headers };
  const text = Object.entries(lines)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  return `${method} ${target} HTTP/${version}\r\n${text}\r\n${body}`;
}

module.exports = { RawConnection, requestText };
