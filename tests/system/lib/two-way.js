'use strict';

const assert = require('node:assert/strict');
const { RawConnection } = require('./raw');
const { within } = require('./wait');
const { OPCODE, WebSocketPeer, closePayload, frame } = require('./websocket');

/** A client on raw TCP that reads and writes lines, with the methods of WebSocketPeer. */
class LinePeer {
  emptyLines = 0;

  /** Sends the subscription and reads `connected`. */
  static async open(port, subscription, connection) {
    const peer = await LinePeer.connect(port, connection);
    await peer.say(subscription);
    const first = await peer.message();
    assert.equal(first.e?.type, 'connected', JSON.stringify(first));
    peer.connected = first.e.detail;
    peer.firstId = first.id;
    return peer;
  }

  static async connect(port, connection) {
    const peer = new LinePeer();
    peer.raw = await RawConnection.open(port, connection);
    return peer;
  }

  say(message) {
    return this.raw.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  /** The next line that is not empty; its JSON. */
  async message() {
    for (;;) {
      const line = await this.raw.take('a line', (bytes) => {
        const end = bytes.indexOf('\n');
        return end < 0 ? undefined : { text: bytes.subarray(0, end).toString(), length: end + 1 };
      });
      if (line.text !== '') {
        return JSON.parse(line.text);
      }
      this.emptyLines++;
    }
  }

  /** Waits for the end of the connection, in which nothing more may come. */
  async closing() {
    await this.raw.closed();
    assert.equal(this.raw.error, undefined, 'no reset');
    assert.equal(this.raw.pending.replaceAll('\n', ''), '');
    this.destroy();
    return {};
  }

  /** Waits for the end, before which nothing comes but what keeps the connection alive. */
  async silence() {
    await this.raw.closed();
    assert.match(this.raw.pending, /^\n*$/);
    this.destroy();
    return { keepAlives: this.raw.pending.length };
  }

  destroy() {
    this.raw.destroy();
  }
}

/** Reads into `taken` until a message is one that isWanted. What keeps the connection alive shall not prolong the wait. */
function readUntil(peer, what, isWanted, taken) {
  const read = async () => {
    while (!taken.some(isWanted)) {
      taken.push(await peer.message());
    }
  };
  return within(what, read());
}

const ANSWERS = ['subscribed', 'unsubscribed', 'alive', 'pong', 'error'];

/** Says something and gives the answer's event; messages that come before it are kept in `peer.before`. */
async function ask(peer, message) {
  const isAnswer = (json) => json.ep.emitted === '@SERVER@' && ANSWERS.includes(json.e.type);
  peer.before ??= [];
  await peer.say(message);
  await readUntil(peer, 'an answer', isAnswer, peer.before);
  const answer = peer.before.pop();
  peer.answerId = answer.id;
  return answer.e;
}

/** Messages up to and with the first one of this type, with those that `ask` has kept. */
async function takeUntil(peer, type) {
  const isWanted = (json) => json.e.type === type;
  peer.before ??= [];
  await readUntil(peer, `an event of type ${type}`, isWanted, peer.before);
  return peer.before.splice(0, peer.before.findIndex(isWanted) + 1);
}

const query = ({ ep = [], ...fields }) => {
  const pairs = Object.entries(fields).map(([name, value]) => [name, String(value)]);
  return new URLSearchParams([...ep.map((topic) => ['ep', topic]), ...pairs]).toString();
};

/** The ways in on which clients speak: how a subscription is made, ends of its own accord, and how it is counted. */
const WAYS = {
  WebSocket: {
    name: 'websocket',
    open: (stack, subscription = {}) => WebSocketPeer.open(stack.port, `/ws?${query(subscription)}`),
    leave: async (peer) => {
      await peer.send(frame(OPCODE.close, closePayload(1000)));
      assert.deepEqual(await peer.closing(), { code: 1000, reason: '' });
    },
  },
  'raw TCP': {
    name: 'lines',
    open: (stack, subscription = {}) => LinePeer.open(stack.linesPort, { ep: [], ...subscription }),
    leave: async (peer) => {
      peer.raw.halfClose();
      await peer.closing();
    },
  },
};

module.exports = { LinePeer, WAYS, ask, takeUntil };
