'use strict';

// A web server's side of FastCGI, as awkward as it may be.
const net = require('node:net');
const { until, within } = require('./wait');

const BEGIN = 1;
const END = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;
const KEEP_CONNECTION = 1;

function record(type, id, content = Buffer.alloc(0), padding = 0) {
  const head = Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, padding, 0]);
  return Buffer.concat([head, content, Buffer.alloc(padding)]);
}

function length(size) {
  return size < 128 ? Buffer.from([size]) : Buffer.from([(size >> 24) | 128, (size >> 16) & 255, (size >> 8) & 255, size & 255]);
}

function pairs(variables) {
  return Buffer.concat(
    Object.entries(variables).flatMap(([name, value]) => {
      const bytes = Buffer.from(value);
      return [length(name.length), length(bytes.length), Buffer.from(name), bytes];
    }),
  );
}

/** The bytes of a post as a web server sends them. */
function postBytes(token, body, { id = 1, keep = false, padding = 0, announced, software = 'test' } = {}) {
  const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const variables = {
    REQUEST_METHOD: 'POST',
    QUERY_STRING: `token=${token}`,
    CONTENT_TYPE: 'application/json',
    CONTENT_LENGTH: String(announced ?? content.length),
    REQUEST_URI: '/notify/event',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_SOFTWARE: software,
  };
  const parts = [record(BEGIN, id, Buffer.from([0, 1, keep ? KEEP_CONNECTION : 0, 0, 0, 0, 0, 0])), record(PARAMS, id, pairs(variables), padding), record(PARAMS, id)];
  for (let at = 0; at < content.length; at += 60_000) {
    parts.push(record(STDIN, id, content.subarray(at, at + 60_000), padding));
  }
  return Buffer.concat([...parts, record(STDIN, id)]);
}

function readAnswer(bytes) {
  let text = '';
  let ended = false;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt16BE(at + 4);
    if (bytes[at + 1] === STDOUT) {
      text += bytes.toString('utf8', at + 8, at + 8 + size);
    }
    ended ||= bytes[at + 1] === END;
    at += 8 + size + bytes[at + 6];
  }
  const [head, body] = text.split('\r\n\r\n');
  return { ended, status: Number(/^Status: (\d+)/.exec(head)?.[1]), json: body ? JSON.parse(body) : undefined };
}

/** Where the first answer of these bytes ends; undefined: it has not come whole. */
function endOfAnswer(bytes) {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const next = at + 8 + bytes.readUInt16BE(at + 4) + bytes[at + 6];
    if (bytes[at + 1] === END && next <= bytes.length) {
      return next;
    }
    at = next;
  }
  return undefined;
}

/** A connection to a handler: the path of its socket, or {host, port}. */
class FastCgi {
  #bytes = [];
  isClosed = false;

  constructor(place) {
    this.socket = net.connect(place);
    this.socket.on('close', () => (this.isClosed = true));
    this.socket.on('data', (data) => this.#bytes.push(data));
    this.closed = new Promise((resolve, reject) => {
      this.socket.on('close', resolve);
      this.socket.on('error', reject);
    });
  }

  send(bytes) {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Waits until the handler has closed the connection. */
  async answer() {
    await within('the answer of a handler', this.closed);
    return readAnswer(Buffer.concat(this.#bytes));
  }

  /** Waits for an answer on a connection that goes on, and takes it; `rest` is what has come behind it. */
  async next() {
    let end;
    await until('an answer of a handler', () => (end = endOfAnswer(Buffer.concat(this.#bytes))) || this.isClosed);
    if (end === undefined) {
      throw new Error('the connection was closed before an answer');
    }
    const bytes = Buffer.concat(this.#bytes);
    this.#bytes = [bytes.subarray(end)];
    return { ...readAnswer(bytes.subarray(0, end)), rest: bytes.subarray(end) };
  }

  destroy() {
    this.socket.destroy();
  }
}

module.exports = { FastCgi, postBytes, record, STDIN };
