'use strict';

// A process of clients of all transports: node hold-all.js --count N --port P --lines-port L --ep TOPIC --spread S. Client I is on
// TOPIC/(I modulo S), with the client id held-TRANSPORT. What comes is read for numbers alone, the details of events of type n.
// Prints "all N connected", then a line "events M" whenever the numbers of all have reached a multiple of N; "lost I TRANSPORT" when
// a stream or a poll's connection ends, and "twice I TRANSPORT NUMBER".

const net = require('node:net');
const { parseArgs } = require('node:util');
const { Holding } = require('./holding');
const { requestText } = require('./raw');
const { handshakeText } = require('./websocket');

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    port: { type: 'string' },
    'lines-port': { type: 'string' },
    ep: { type: 'string' },
    spread: { type: 'string' },
  },
});

const TAIL = 600; // characters of which an event's number may be the end
const TURNS = ['frames', 'frames', 'frames', 'sse', 'sse', 'websocket', 'websocket', 'lines', 'frames', 'poll'];
const holding = new Holding(Number(values.count));

const postText = (target, body) => requestText('POST', target, { body: JSON.stringify(body) });

const OPENINGS = {
  frames: (ep, clid) => postText('/', { ep: [ep], clid }),
  sse: (ep, clid) => requestText('GET', `/sse?ep=${encodeURIComponent(ep)}&clid=${clid}`),
  websocket: (ep, clid) => handshakeText(`/ws?ep=${encodeURIComponent(ep)}&clid=${clid}`),
  lines: (ep, clid) => `${JSON.stringify({ ep: [ep], clid })}\n`,
  poll: (ep, clid) => postText('/poll', { ep: [ep], clid, wait: 0 }),
};

class Client {
  #had = new Set();
  #text = '';

  static open(index) {
    return new Promise((resolve) => {
      const client = new Client();
      client.index = index;
      client.kind = TURNS[index % TURNS.length];
      client.topic = `${values.ep}/${Math.floor(index / TURNS.length) % Number(values.spread)}`;
      client.connected = resolve;
      client.socket = net.connect({ host: '127.0.0.1', port: Number(client.kind === 'lines' ? values['lines-port'] : values.port) });
      client.socket.setEncoding('latin1');
      client.socket.on('data', (text) => client.#take(text));
      client.socket.on('error', (error) => console.log(`${client.index}: ${error.message}`));
      client.socket.on('close', () => console.log(`lost ${index} ${client.kind}`));
      client.socket.write(OPENINGS[client.kind](client.topic, `held-${client.kind}`));
    });
  }

  #count(number) {
    if (this.#had.has(number)) {
      console.log(`twice ${this.index} ${this.kind} ${number}`);
    }
    this.#had.add(number);
    holding.noteEvent();
  }

  #countAll() {
    let end = 0;
    for (const match of this.#text.matchAll(/"type":"n","detail":(\d+)[,}]/g)) {
      this.#count(Number(match[1]));
      end = match.index + match[0].length;
    }
    return end;
  }

  #take(text) {
    this.#text += text;
    if (this.kind === 'poll') {
      this.#takeAnswer();
      return;
    }
    if (this.#text.includes('"connected"')) {
      this.connected();
    }
    this.#text = this.#text.slice(Math.max(this.#countAll(), this.#text.length - TAIL));
  }

  /** The whole answer to a poll, after which comes the next one, as the same client. */
  #takeAnswer() {
    const end = this.#text.indexOf('\r\n\r\n');
    const length = end < 0 ? undefined : Number(/^content-length: *(\d+)\r$/im.exec(this.#text)[1]);
    if (length === undefined || this.#text.length < end + 4 + length) {
      return;
    }
    if (!this.#text.startsWith('HTTP/1.1 200 ')) {
      console.log(`lost ${this.index} poll: ${this.#text}`);
      return;
    }
    const { events: frames, id } = JSON.parse(this.#text.slice(end + 4));
    this.#countAll();
    this.#text = '';
    const { connid, secret } = frames[0].e.detail;
    this.socket.write(postText('/poll', { ep: [this.topic], clid: 'held-poll', last_id: id, connid, secret, wait: 20_000 }));
    this.connected();
  }
}

holding.openAll(Client.open).catch((error) => {
  console.error(error);
  process.exit(1);
});
