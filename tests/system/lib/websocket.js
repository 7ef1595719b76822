'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { RawConnection } = require('./raw');

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** What a server has to answer to a key (RFC 6455, section 4.2.2). */
function acceptOf(key) {
  return crypto.createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** The text of a request that opens a WebSocket; headers given override (undefined leaves one out). */
function handshakeText(target, headers = {}) {
  const lines = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...headers,
  };
  const text = Object.entries(lines)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${text.join('')}\r\n`;
}

function lengthBytes(length, masked) {
  const bit = masked ? 0x80 : 0;
  if (length < 126) {
    return Buffer.from([bit | length]);
  }
  const bytes = Buffer.alloc(length < 65536 ? 3 : 9);
  bytes[0] = bit | (length < 65536 ? 126 : 127);
  if (length < 65536) {
    bytes.writeUInt16BE(length, 1);
  } else {
    bytes.writeBigUInt64BE(BigInt(length), 1);
  }
  return bytes;
}

/** A frame as a client sends it, or as none should: options fin, rsv (3 bits), masked. */
function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true } = {}) {
  const bytes = Buffer.from(payload);
  const mask = masked ? crypto.randomBytes(4) : Buffer.alloc(0);
  const first = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]);
  const data = masked ? bytes.map((byte, i) => byte ^ mask[i % 4]) : bytes;
  return Buffer.concat([first, lengthBytes(bytes.length, masked), mask, data]);
}

function closePayload(code, reason = '') {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(code);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

/** A payload in frames of at most `size` bytes. */
function fragments(payload, size) {
  const bytes = Buffer.from(payload);
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, i) =>
    frame(i === 0 ? OPCODE.text : OPCODE.continuation, bytes.subarray(i * size, (i + 1) * size), { fin: i === count - 1 }),
  );
}

/** The frame at the front of what a server sent: {opcode, payload, length}; undefined while it is not complete. Strict. */
function readFrame(bytes) {
  if (bytes.length < 2) {
    return undefined;
  }
  const short = bytes[1] & 0x7f;
  const head = { 126: 4, 127: 10 }[short] ?? 2;
  if (bytes.length < head) {
    return undefined;
  }
  const size = { 126: () => bytes.readUInt16BE(2), 127: () => Number(bytes.readBigUInt64BE(2)) }[short]?.() ?? short;
  const opcode = bytes[0] & 0x0f;
  assert.equal(bytes[0] & 0xf0, 0x80, 'the server sends whole frames without reserved bits');
  assert.equal(bytes[1] & 0x80, 0, 'the server does not mask');
  assert.ok(lengthBytes(size, false).length + 1 === head, 'the length is written as briefly as it can be');
  assert.ok([1, 8, 9, 10].includes(opcode), `opcode ${opcode}`);
  assert.ok(opcode < 8 || size <= 125, 'control frames are short');
  return bytes.length < head + size ? undefined : { opcode, payload: bytes.subarray(head, head + size), length: head + size };
}

/** A WebSocket of which a test writes every byte, and reads every frame. */
class WebSocketPeer {
  answersPings = false;

  /** Connects and shakes hands; then `connected` is the detail of the first frame. */
  static async open(port, target = '/ws', { headers, extra = '', connection } = {}) {
    const peer = new WebSocketPeer();
    peer.raw = await RawConnection.open(port, connection);
    await peer.raw.write(Buffer.concat([Buffer.from(handshakeText(target, headers)), Buffer.from(extra)]));
    const head = await peer.raw.head();
    assert.equal(head.status, 101, `${head.status} ${head.reason}`);
    assert.equal(head.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(head.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(head.headers['sec-websocket-accept'], acceptOf(headers?.['Sec-WebSocket-Key'] ?? KEY));
    assert.equal(head.headers['sec-websocket-extensions'], undefined);
    const first = await peer.message();
    assert.equal(first.e.type, 'connected');
    peer.connected = first.e.detail;
    peer.firstId = first.id;
    return peer;
  }

  /** Sends bytes as they are, or in pieces of `chop` bytes. */
  async send(bytes, { chop } = {}) {
    const all = Buffer.isBuffer(bytes) ? bytes : Buffer.concat(bytes);
    const size = chop ?? all.length;
    for (let at = 0; at < all.length; at += size) {
      await this.raw.write(all.subarray(at, at + size));
    }
  }

  /** A text message; anything but a text goes as JSON. */
  say(message, options) {
    return this.send(frame(OPCODE.text, typeof message === 'string' ? message : JSON.stringify(message)), options);
  }

  /** The next frame of the server. */
  next() {
    return this.raw.take('a WebSocket frame', readFrame);
  }

  /** The next frame, which has to be a text message; its JSON. With `answersPings` there may be pings before it. */
  async message() {
    for (;;) {
      const { opcode, payload } = await this.next();
      if (opcode !== OPCODE.ping || !this.answersPings) {
        assert.equal(opcode, OPCODE.text, `opcode ${opcode}: ${payload}`);
        return JSON.parse(payload.toString());
      }
      await this.send(frame(OPCODE.pong, payload));
    }
  }

  /** The next frame has to be this one. */
  async expect(opcode, payload = '') {
    const found = await this.next();
    assert.deepEqual([found.opcode, found.payload.toString('latin1')], [opcode, Buffer.from(payload).toString('latin1')]);
  }

  /** Waits for the end, before which nothing comes but pings, which it answers: how many, and what closing() gives. */
  async silence() {
    let keepAlives = 0;
    for (;;) {
      const found = await this.next();
      if (found.opcode !== OPCODE.ping) {
        return { keepAlives, ...(await this.closing(found)) };
      }
      await this.send(frame(OPCODE.pong, found.payload)); // RFC 6455, section 5.5.2
      keepAlives++;
    }
  }

  /** The next frame has to be a close frame, and the end of the connection follows: {code, reason}; code undefined: none. */
  async closing(found) {
    const { opcode, payload } = found ?? (await this.next());
    assert.equal(opcode, OPCODE.close, `opcode ${opcode}: ${payload}`);
    assert.notEqual(payload.length, 1);
    await this.raw.closed();
    assert.equal(this.raw.error, undefined, 'no reset');
    assert.equal(this.raw.pending, '', 'nothing behind the close frame');
    this.destroy();
    return payload.length === 0 ? {} : { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }

  destroy() {
    this.raw.destroy();
  }
}

module.exports = { OPCODE, WebSocketPeer, closePayload, fragments, frame, handshakeText };
