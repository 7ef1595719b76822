'use strict';

// RFC 6455 as a client can try it. The numbers are those of the cases of the Autobahn test suite, which asks the same of
// servers that echo: here a text message is a question and its answer says how it was read.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { OPCODE, WebSocketPeer, closePayload, fragments, frame, handshakeText } = require('./lib/websocket');

const { continuation, text, binary, close, ping, pong } = OPCODE;
const MAX_MESSAGE = 65536;
const PING = '{"ping":1}';

describe('WebSocket', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('ws', { config: { fanout: { max_messages: 100_000, linger_time: '500ms' } } });
  });
  after(() => stack?.stop());
  // Whatever was done to it, the daemon is well and holds nobody.
  afterEach(async () => {
    RawConnection.destroyAll();
    const counts = await stack.untilTotal(0);
    assert.deepEqual(counts, { '@TOTAL@': 0 });
  });

  const open = () => WebSocketPeer.open(stack.port);

  /** A question of `size` bytes, and what stands in it. */
  const padded = (size, filler = '*') => `{"ping":"${filler.repeat((size - 11) / Buffer.byteLength(filler))}"}`;

  /** The daemon has read the last message and answers it; then it is told to close, and does so. */
  async function endsWell(peer, answers = 1) {
    for (let i = 0; i < answers; i++) {
      assert.deepEqual((await peer.message()).e, { type: 'pong', detail: {} });
    }
    await peer.send(frame(close, closePayload(1000)));
    assert.deepEqual(await peer.closing(), { code: 1000, reason: '' });
  }

  /** These frames are read, and answered so often. */
  async function isRead(frames, { answers = 1, chop } = {}) {
    const peer = await open();
    await peer.send(frames, { chop });
    await endsWell(peer, answers);
  }

  /** These frames make the daemon close with this code, after so many answers. */
  async function isClosed(frames, code, { answers = 0, chop } = {}) {
    const peer = await open();
    await peer.send(frames, { chop });
    for (let i = 0; i < answers; i++) {
      assert.equal((await peer.message()).e.type, 'pong');
    }
    const closing = await peer.closing();
    assert.equal(closing.code, code, JSON.stringify(closing));
  }

  const CHOPS = [undefined, 1, 997];

  describe('1 framing', () => {
    test('1.1.1 an empty text message', async () => {
      const peer = await open();
      await peer.send(frame(text));
      assert.deepEqual((await peer.message()).e, { type: 'error', detail: { error: 'Invalid JSON in message' } });
      await peer.say(PING);
      await endsWell(peer);
    });

    for (const [number, size] of [[2, 125], [3, 126], [4, 127], [5, 128], [6, MAX_MESSAGE - 1], [7, MAX_MESSAGE]]) {
      test(`1.1.${number} a text message of ${size} bytes`, () => isRead([frame(text, padded(size))]));
    }

    test(`1.1.8 a text message of ${MAX_MESSAGE} bytes, in pieces`, () =>
      isRead([frame(text, padded(MAX_MESSAGE))], { chop: 997 }));

    for (const [number, size] of [0, 125, 126, 127, 128, 65535, 65536].entries()) {
      test(`1.2.${number + 1} a binary message of ${size} bytes`, () =>
        isClosed([frame(binary, Buffer.alloc(size, 0xfe))], 1003));
    }

    test('lengths that are written longer than they need be', async () => {
      const mask = Buffer.alloc(4);
      await isClosed([Buffer.from([0x81, 0xfe, 0, 1]), mask, Buffer.from('x')], 1002);
      await isClosed([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]), mask, Buffer.from('x')], 1002);
      await isClosed([Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1]), mask, Buffer.from('x')], 1002);
    });

    test('frames without a mask', async () => {
      for (const opcode of [text, ping, pong, close]) {
        await isClosed([frame(opcode, '', { masked: false })], 1002);
      }
      await isClosed([frame(text, PING, { masked: false })], 1002);
    });
  });

  describe('2 pings and pongs', () => {
    for (const [number, payload] of [
      ['2.1', ''],
      ['2.2', 'Hello, world!'],
      ['2.3', Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff])],
      ['2.4', Buffer.alloc(125, 0xfe)],
    ]) {
      test(`${number} a ping of ${payload.length} bytes`, async () => {
        for (const chop of [undefined, 1]) {
          const peer = await open();
          await peer.send(frame(ping, payload), { chop });
          await peer.expect(pong, payload);
          await peer.say(PING);
          await endsWell(peer);
        }
      });
    }

    test('2.5 a ping of 126 bytes', () => isClosed([frame(ping, Buffer.alloc(126, 0xfe))], 1002));

    test('2.6 a ping of 125 bytes in pieces of one', async () => {
      const peer = await open();
      await peer.send(frame(ping, Buffer.alloc(125, 0xfe)), { chop: 1 });
      await peer.expect(pong, Buffer.alloc(125, 0xfe));
      await peer.say(PING);
      await endsWell(peer);
    });

    test('2.7, 2.8 pongs that nobody asked for', () =>
      isRead([frame(pong), frame(pong, 'unsolicited'), frame(text, PING)]));

    test('2.9 a pong, then a ping', async () => {
      const peer = await open();
      await peer.send([frame(pong, 'unsolicited'), frame(ping, 'ping payload')]);
      await peer.expect(pong, 'ping payload');
      await peer.say(PING);
      await endsWell(peer);
    });

    test('2.10, 2.11 ten pings are answered in order', async () => {
      for (const chop of [undefined, 1]) {
        const peer = await open();
        await peer.send(Array.from({ length: 10 }, (_, i) => frame(ping, `payload-${i}`)), { chop });
        for (let i = 0; i < 10; i++) {
          await peer.expect(pong, `payload-${i}`);
        }
        await peer.say(PING);
        await endsWell(peer);
      }
    });
  });

  describe('3 reserved bits', () => {
    test('3.1 a text with RSV 1', () => isClosed([frame(text, PING, { rsv: 1 })], 1002));
    for (const [index, chop] of CHOPS.entries()) {
      test(`3.${index + 2} a text, a text with RSV 2, a ping${chop ? `, in pieces of ${chop}` : ''}`, () =>
        isClosed([frame(text, PING), frame(text, PING, { rsv: 2 }), frame(ping)], 1002, { answers: 1, chop }));
    }
    test('3.5 a binary message with RSV 5', () => isClosed([frame(binary, 'x', { rsv: 5 })], 1002));
    test('3.6 a ping with RSV 6', () => isClosed([frame(ping, 'x', { rsv: 6 })], 1002));
    test('3.7 a close frame with RSV 7', () => isClosed([frame(close, closePayload(1000), { rsv: 7 })], 1002));
  });

  describe('4 opcodes', () => {
    for (const [part, first] of [[1, 3], [2, 11]]) {
      for (let number = 1; number <= 5; number++) {
        const opcode = first + number - 1;
        test(`4.${part}.${number} reserved opcode ${opcode}`, async () => {
          await isClosed([frame(opcode)], 1002);
          await isClosed([frame(opcode, 'reserved opcode payload')], 1002);
          await isClosed([frame(text, PING), frame(opcode), frame(ping)], 1002, { answers: 1 });
          await isClosed([frame(text, PING), frame(opcode, 'x'), frame(ping)], 1002, { answers: 1, chop: 1 });
        });
      }
    }
  });

  describe('5 fragmentation', () => {
    const half = PING.length / 2;
    const one = frame(text, PING.slice(0, half), { fin: false });
    const two = frame(continuation, PING.slice(half));

    test('5.1 a ping in two fragments', () =>
      isClosed([frame(ping, 'a', { fin: false }), frame(continuation, 'b')], 1002));
    test('5.2 a pong in two fragments', () =>
      isClosed([frame(pong, 'a', { fin: false }), frame(continuation, 'b')], 1002));
    test('a close frame in two fragments', () =>
      isClosed([frame(close, closePayload(1000), { fin: false }), frame(continuation)], 1002));

    test('5.3 to 5.5 a text in two fragments', async () => {
      for (const chop of CHOPS) {
        await isRead([one, two], { chop });
      }
    });

    test('5.6 to 5.8 a ping between the two is answered at once', async () => {
      for (const chop of CHOPS) {
        const peer = await open();
        await peer.send([one, frame(ping, 'between')], { chop });
        await peer.expect(pong, 'between');
        await peer.send(two, { chop });
        await endsWell(peer);
      }
    });

    test('5.9 to 5.14 a continuation of nothing', async () => {
      for (const fin of [true, false]) {
        for (const chop of CHOPS) {
          await isClosed([frame(continuation, 'x', { fin }), frame(text, PING)], 1002, { chop });
        }
      }
    });

    test('5.15 a text in two fragments, then a continuation of nothing', () =>
      isClosed([one, two, frame(continuation, 'x', { fin: false }), frame(text, PING)], 1002, { answers: 1 }));
    test('5.16 and 5.17 again and again a continuation, then a text in two fragments', () =>
      isClosed([frame(continuation, 'x', { fin: false }), one, two], 1002));
    test('5.18 two messages, neither of which ends', () => isClosed([one, one], 1002));

    test('5.19 and 5.20 five fragments with pings between them', async () => {
      const parts = fragments(padded(500), 100);
      const peer = await open();
      await peer.send([...parts.slice(0, 2), frame(ping, 'first'), ...parts.slice(2, 4), frame(ping, 'second')]);
      await peer.expect(pong, 'first');
      await peer.expect(pong, 'second');
      await peer.send(parts[4]);
      await endsWell(peer);
    });
  });

  describe('6 UTF-8', () => {
    test('6.1 empty messages and fragments', async () => {
      const empty = (opcode, fin) => frame(opcode, '', { fin });
      for (const frames of [
        [empty(text, true)],
        [empty(text, false), empty(continuation, false), empty(continuation, true)],
      ]) {
        const peer = await open();
        await peer.send(frames);
        assert.equal((await peer.message()).e.type, 'error');
        await peer.say(PING);
        await endsWell(peer);
      }
      await isRead([empty(text, false), frame(continuation, PING, { fin: false }), empty(continuation, true)]);
    });

    test('6.2 valid text, whole, in fragments and cut inside characters', async () => {
      const message = padded(211, 'Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!! ');
      await isRead([frame(text, message)]);
      await isRead(fragments(message, 50));
      await isRead(fragments(message, 1));
      await isRead(fragments('{"ping":"\u{1f600}\u20ac\ud7ff\ue000\uffff\u{10ffff}"}', 1), { chop: 1 });
    });

    const WRONG = {
      '6.3 a surrogate in the middle': 'cebae1bdb9cf83cebcceb5eda080656469746564',
      '6.4 beyond Unicode': 'cebae1bdb9cf83cebcceb5f4908080656469746564',
      '6.6 an unfinished character': 'cebae1bdb9cf83cebcce',
      '6.8 five bytes': 'f888808080',
      '6.9 six bytes': 'fc8480808080',
      '6.10 beyond 10FFFF': 'f7bfbfbf',
      '6.12 a continuation byte alone': '80',
      '6.13 all continuation bytes': Array.from({ length: 64 }, (_, i) => (0x80 + i).toString(16)).join(''),
      '6.14 first bytes without the rest': 'c020c120',
      '6.16 unfinished, three bytes': 'e282',
      '6.18 impossible bytes': 'fefeffff',
      '6.19 overlong, two bytes': 'c0af',
      '6.19 overlong, three bytes': 'e080af',
      '6.19 overlong, four bytes': 'f08080af',
      '6.20 overlong at the limit': 'c1bfe09fbff08fbfbf',
      '6.21 NUL, overlong': 'c080',
      '6.22 a single surrogate': 'edbfbf',
      '6.23 a pair of surrogates': 'eda080edb080',
    };
    for (const [what, hex] of Object.entries(WRONG)) {
      test(what, async () => {
        const bytes = Buffer.from(hex, 'hex');
        await isClosed([frame(text, bytes)], 1007);
        await isClosed(fragments(bytes, 1), 1007, { chop: 1 });
      });
    }

    test('6.4 what is wrong is found before the message ends', async () => {
      await isClosed([frame(text, Buffer.from('cebaf490', 'hex'), { fin: false })], 1007);
      await isClosed([frame(text, Buffer.from('cebaf490808065646974', 'hex')).subarray(0, 14)], 1007);
    });
  });

  describe('7 closing', () => {
    const bye = frame(close, closePayload(1000));

    test('7.1.1 a message, then a close frame', () => isRead([frame(text, PING)]));
    test('7.1.2 two close frames', () => isClosed([bye, bye], 1000));
    test('7.1.3 a ping after the close frame is not answered', () => isClosed([bye, frame(ping)], 1000));
    test('7.1.4 a text after the close frame is not answered', () => isClosed([bye, frame(text, PING)], 1000));
    test('7.1.5 a close frame inside a message', () =>
      isClosed([frame(text, 'a', { fin: false }), bye, frame(continuation, 'b')], 1000));
    test('7.1.6 a large message, a close frame and a ping', () =>
      isClosed([frame(text, padded(MAX_MESSAGE)), bye, frame(ping)], 1000, { answers: 1 }));
    test('7.3.1 a close frame without a code', () => isClosed([frame(close)], undefined));
    test('7.3.2 a close frame of one byte', () => isClosed([frame(close, 'a')], 1002));
    test('7.3.3 a close frame with a code', () => isClosed([bye], 1000));
    test('7.3.4 a close frame with a reason', () => isClosed([frame(close, closePayload(1000, 'Hello World!'))], 1000));
    test('7.3.5 the longest reason', () => isClosed([frame(close, closePayload(1000, '*'.repeat(123)))], 1000));
    test('7.3.6 a reason that is too long', () => isClosed([frame(close, closePayload(1000, '*'.repeat(124)))], 1002));

    test('7.5.1 a reason that is not UTF-8', async () => {
      const payload = Buffer.concat([closePayload(1000), Buffer.from('cebae1bdb9eda080', 'hex')]);
      await isClosed([frame(close, payload)], 1007);
      await isClosed([frame(close, payload)], 1007, { chop: 1 });
    });

    test('a good reason in pieces of one byte', () =>
      isClosed([frame(close, closePayload(1000, '\u20ac\u{1f600}'))], 1000, { chop: 1 }));

    for (const [number, code] of [
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ].entries()) {
      test(`7.7.${number + 1} code ${code} is answered with the same`, () =>
        isClosed([frame(close, closePayload(code))], code));
    }

    for (const [number, code] of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].entries()) {
      test(`7.9.${number + 1} code ${code} must not be sent`, () => isClosed([frame(close, closePayload(code))], 1002));
    }

    test('the end of the connection without a close frame', async () => {
      const peer = await open();
      peer.raw.halfClose();
      await peer.raw.closed();
    });
  });

  describe('9 limits', () => {
    for (const [number, size] of [64, 256, 1024, 4096, 16384, 65536].entries()) {
      test(`9.3.${number + 1} a message of 64 KiB in fragments of ${size} bytes`, () =>
        isRead(fragments(padded(MAX_MESSAGE), size)));
      test(`9.5.${number + 1} a message of 64 KiB in pieces of ${size} bytes`, () =>
        isRead([frame(text, padded(MAX_MESSAGE))], { chop: size }));
    }

    test('a message one byte larger', async () => {
      await isClosed([frame(text, padded(MAX_MESSAGE + 1))], 1009);
      await isClosed(fragments(padded(MAX_MESSAGE + 1), 1000), 1009);
    });

    test('a message of 4 MiB is refused at its head, and the answer can be read', () =>
      isClosed([frame(text, padded(4 * 1024 * 1024))], 1009));

    test('9.7 a thousand small messages', () =>
      isRead(Array.from({ length: 1000 }, () => frame(text, PING)), { answers: 1000 }));
  });

  describe('10 odds and ends', () => {
    test('10.1.1 a message of 64 KiB in fragments of 1300 bytes', () => isRead(fragments(padded(MAX_MESSAGE), 1300)));

    test('frames in one packet with the request', async () => {
      const peer = await WebSocketPeer.open(stack.port, '/ws', { extra: frame(text, PING) });
      await endsWell(peer);
    });

    test('a handshake and frames in pieces of one byte', async () => {
      const raw = await RawConnection.open(stack.port);
      for (const byte of Buffer.concat([Buffer.from(handshakeText('/ws')), frame(text, PING)])) {
        await raw.write(Buffer.from([byte]));
      }
      assert.equal((await raw.head()).status, 101);
      await raw.until('the answer', () => raw.pending.includes('"pong"'));
    });
  });

  describe('handshakes', () => {
    const REFUSED = {
      'no upgrade': [426, { Upgrade: undefined }],
      'another protocol': [426, { Upgrade: 'h2c' }],
      'no Connection: Upgrade': [400, { Connection: 'keep-alive' }],
      'no version': [426, { 'Sec-WebSocket-Version': undefined }],
      'an old version': [426, { 'Sec-WebSocket-Version': '8' }],
      'no key': [400, { 'Sec-WebSocket-Key': undefined }],
      'a short key': [400, { 'Sec-WebSocket-Key': 'c2hvcnQ=' }],
      'a key that is no base64': [400, { 'Sec-WebSocket-Key': 'dGhlIHNhbXBs*SBub25jZQ==' }],
    };
    for (const [what, [status, headers]] of Object.entries(REFUSED)) {
      test(`${what}: ${status}`, async () => {
        const raw = await RawConnection.open(stack.port);
        await raw.write(handshakeText('/ws?ep=a', headers));
        const answer = await raw.answer();
        assert.equal(answer.status, status, JSON.stringify(answer));
        assert.equal(typeof JSON.parse(answer.text).error, 'string');
        const { upgrade, connection, 'sec-websocket-version': version } = answer.headers;
        assert.deepEqual([upgrade, version], status === 426 ? ['websocket', '13'] : [undefined, undefined]);
        assert.equal(connection, status === 426 ? 'Upgrade, keep-alive' : 'keep-alive');
        await raw.write(handshakeText('/ws?ep=a'));
        assert.equal((await raw.head()).status, 101, 'it may try again');
      });
    }

    test('lists and any case', async () => {
      const headers = { Upgrade: 'h2c, WebSocket', Connection: 'keep-alive, upgrade' };
      const peer = await WebSocketPeer.open(stack.port, '/ws?ep=a', { headers });
      peer.destroy();
    });

    test('extensions and protocols that are offered are not taken', async () => {
      const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate', 'Sec-WebSocket-Protocol': 'chat' };
      const peer = await WebSocketPeer.open(stack.port, '/ws?ep=a', { headers });
      peer.destroy();
    });
  });
});
