// A broker as small as the client's tests need it: the wire of docs/protocol.md over a real HTTP server, and ways to make it
// misbehave. It keeps every event, and counts how many connections are open at a time.

import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';

const { freePort } = createRequire(import.meta.url)('../../../../tests/system/lib/ports.js');

const matches = (pattern, topic) =>
  pattern === topic || (pattern.endsWith('/#') && `${topic}/`.startsWith(pattern.slice(0, -1)));

const nameOf = (one) => one.topic ?? one;

async function readBody(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  return text ? JSON.parse(text) : {};
}

const encoders = {
  frames: (text) => `''${text.length}''${text}`,
  sse: (text) => `data: ${text}\n\n`,
};

/** One client, however it came. */
class Connection {
  constructor(broker, transport, body, send, end) {
    Object.assign(this, { broker, transport, body, send, end });
    this.topics = [];
    broker.open.add(this);
    broker.peak = Math.max(broker.peak, broker.open.size);
    broker.begun.push(this);
  }

  say(type, detail, id = this.broker.head) {
    this.send({ iat: Date.now(), id, ep: { requested: '@SERVER@', emitted: '@SERVER@' }, e: { type, detail } });
  }

  greet() {
    const { broker, body } = this;
    const former = broker.secrets.get(body.secret);
    this.connid = former && former === Number(body.connid) ? former : broker.nextConnid++;
    this.renew();
    const more = body.last_id ? { recovered: broker.knows(body.last_id) } : {};
    this.say('connected', { ...this.identity(), id: broker.head, ...more }, broker.startFor(body.last_id));
  }

  renew() {
    this.secret = randomBytes(8).toString('hex');
    this.broker.secrets.set(this.secret, this.connid);
  }

  identity() {
    return { connid: this.connid, secret: this.secret, timeout: this.broker.timeout };
  }

  /** Sends what came after `lastId`, then what comes. */
  hear(topics, lastId) {
    this.topics.push(...topics.map(nameOf).filter((topic) => !this.topics.includes(topic)));
    if (lastId) for (const event of this.broker.after(lastId)) this.tell(event);
    for (const topic of topics.map(nameOf)) {
      if (topic.startsWith('@CONNECTION@/')) {
        const e = { type: 'available', detail: { clid_instances: String(this.broker.count(topic)) } };
        this.send({ iat: Date.now(), id: this.broker.head, ep: { requested: topic, emitted: topic }, e });
      }
    }
  }

  tell({ id, topic, e, whisper }) {
    if (whisper && whisper !== this.connid) return 0;
    const requested = this.topics.filter((pattern) => matches(pattern, topic));
    for (const one of requested) this.send({ iat: Date.now(), id, ep: { requested: one, emitted: topic }, e });
    return requested.length;
  }

  over() {
    this.broker.open.delete(this);
  }
}

export class Broker {
  open = new Set();
  begun = []; // connections, in order
  requests = []; // {method, path, query, headers, body}
  peak = 0;
  more = 0; // whom presence counts besides
  log = [];
  secrets = new Map(); // secret: connid
  nextConnid = 7_000_000_001;
  epoch = 1000;
  timeout = 3_600_000;
  mute = []; // transports whose answers are held back, as by a proxy that buffers
  closed = []; // transports that are answered 404
  answer; // (request) => {status, headers, body}: instead of what is right
  beforeSubscribed; // () => what happens between the opening of a WebSocket and its topics
  cutAfter; // bytes of a stream after which it is cut off, once

  static async start(options) {
    const broker = Object.assign(new Broker(), options);
    await broker.listen();
    return broker;
  }

  async listen() {
    this.server = http.createServer((request, response) => this.#serve(request, response));
    const sockets = new WebSocketServer({ noServer: true });
    this.server.on('upgrade', (request, socket, head) => {
      if (this.closed.includes('ws')) return socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      if (this.mute.includes('ws')) return undefined;
      sockets.handleUpgrade(request, socket, head, (peer) => this.#serveSocket(peer, request));
    });
    this.port ??= await freePort(); // it stays the broker's while that is away
    await new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.port}/notify/`;
  }

  get head() {
    return `${this.epoch}-${this.log.length}`;
  }

  knows(id) {
    return Number(id.split('-')[0]) === this.epoch;
  }

  /** The id after which a connection with this last id begins. */
  startFor(id) {
    if (!id) return this.head;
    return this.knows(id) ? id : `${this.epoch}-0`;
  }

  after(id) {
    const [epoch, sequence] = id.split('-').map(Number);
    return this.log.slice(epoch === this.epoch ? sequence : 0);
  }

  count(presenceTopic) {
    const here = [...this.open].filter(({ body }) => `@CONNECTION@/${body.clid}` === presenceTopic);
    return new Set(here.map(({ connid }) => connid)).size + this.more; // one may be open still that was replaced
  }

  /** Publishes, and gives the number of frames. */
  publish(topic, type = 'event', detail = undefined, whisper = undefined) {
    const event = { id: `${this.epoch}-${this.log.length + 1}`, topic, e: { type, detail }, whisper };
    this.log.push(event);
    return [...this.open].reduce((sum, connection) => sum + connection.tell(event), 0);
  }

  /** Ends all streams as a killed process does. */
  breakAll() {
    for (const connection of [...this.open]) connection.end(true);
  }

  async #serve(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    const path = pathname.replace('/notify/', '');
    const body = request.method === 'POST' ? await readBody(request) : Object.fromEntries(searchParams);
    this.requests.push({ method: request.method, path, query: searchParams, headers: request.headers, body });
    const refuse = (status, error, headers = {}) =>
      response.writeHead(status, headers).end(JSON.stringify({ error }));
    const instead = this.answer?.(this.requests.at(-1));
    if (instead) return refuse(instead.status, instead.error ?? 'no', instead.headers);
    if (path === 'alive') return this.#renew(body, response, refuse);
    if (path === 'ticket') {
      return body.bind_key === 'good' ? response.end(JSON.stringify({ ticket: JSON.stringify(body) })) : refuse(400, 'Invalid Bind Key');
    }
    const wish = body.ticket ? { ...JSON.parse(body.ticket), ...body } : body;
    const isSse = path === 'sse' || request.headers.accept === 'text/event-stream';
    const transport = path === 'poll' ? 'poll' : isSse ? 'sse' : path === '' ? 'frames' : undefined;
    if (!transport || this.closed.includes(transport)) return refuse(404, 'Not found');
    if (!Array.isArray(wish.ep)) return refuse(400, 'Event Points should be an array');
    if (wish.ep.some((one) => one.binded) && !body.ticket) return refuse(400, 'Bound topics need a bind key');
    if (this.mute.includes(transport)) return undefined;
    return transport === 'poll' ? this.#poll(wish, response) : this.#stream(transport, wish, response);
  }

  #renew(body, response, refuse) {
    const connection = [...this.open].find(({ connid, secret }) => connid === body.connid && secret === body.secret);
    if (!connection) return refuse(400, 'Invalid data');
    connection.renew();
    return response.end(JSON.stringify(connection.identity()));
  }

  #stream(transport, body, response) {
    const type = transport === 'sse' ? 'text/event-stream;charset=utf-8' : 'text/plain;charset=utf-8';
    response.writeHead(200, { 'Content-Type': type });
    let sent = 0;
    const send = (frame) => {
      const text = encoders[transport](JSON.stringify(frame));
      sent += text.length;
      if (sent > this.cutAfter) {
        response.write(text.slice(0, text.length - (sent - this.cutAfter)), () => response.destroy());
        this.cutAfter = undefined;
        connection.over();
      } else if (!response.destroyed) {
        response.write(text);
      }
    };
    const end = (isBroken) => (isBroken ? response.destroy() : response.end());
    const connection = new Connection(this, transport, body, send, end);
    response.on('close', () => connection.over());
    connection.greet();
    connection.hear(body.ep, body.last_id);
  }

  #poll(body, response) {
    const events = [];
    const wait = Number(body.wait ?? 25_000);
    const finish = () => {
      clearTimeout(timer);
      connection.over();
      if (!response.writableEnded) response.end(JSON.stringify({ events, id: this.head }));
    };
    const send = (frame) => {
      events.push(frame);
      if (frame.ep.requested !== '@SERVER@' && frame.e.type !== 'available') setImmediate(finish);
      if (frame.e.type === 'stopping') setImmediate(finish);
    };
    const timer = setTimeout(finish, wait);
    const connection = new Connection(this, 'poll', body, send, (isBroken) => (isBroken ? response.destroy() : finish()));
    response.on('close', () => {
      clearTimeout(timer);
      connection.over();
    });
    connection.greet();
    connection.hear(body.ep, body.last_id);
  }

  #serveSocket(peer, request) {
    const query = new URL(request.url, 'http://x').searchParams;
    const asked = Object.fromEntries(query);
    const body = asked.ticket ? { ...JSON.parse(asked.ticket), ...asked } : asked;
    const send = (frame) => peer.send(JSON.stringify(frame));
    const end = (isBroken) => (isBroken ? peer.terminate() : peer.close(1000));
    const connection = new Connection(this, 'ws', body, send, end);
    peer.on('close', () => connection.over());
    peer.on('message', (data) => this.#socketSays(connection, JSON.parse(data.toString())));
    connection.greet();
    if (body.ep) connection.hear(body.ep, body.last_id);
  }

  #socketSays(connection, message) {
    connection.said = [...(connection.said ?? []), message];
    if (message.subscribe) {
      if (message.subscribe.includes('bad')) return connection.say('error', { error: 'Invalid Event Point' });
      this.beforeSubscribed?.();
      const topics = connection.topics.length + message.subscribe.length;
      connection.say('subscribed', { topics, id: this.head, ...(message.last_id && { recovered: this.knows(message.last_id) }) }, this.startFor(message.last_id));
      connection.hear(message.subscribe, message.last_id);
    }
    if (message.unsubscribe) {
      connection.topics = connection.topics.filter((topic) => !message.unsubscribe.includes(topic));
      connection.say('unsubscribed', { topics: connection.topics.length });
    }
    if (message.alive) {
      connection.renew();
      connection.say('alive', connection.identity());
    }
    if (message.ping) connection.say('pong', {});
    return undefined;
  }

  /** Says that it stops, and ends. */
  stopSoftly(retry) {
    for (const connection of [...this.open]) {
      connection.say('stopping', { retry });
      connection.end();
    }
  }

  async close() {
    this.server.close();
    this.breakAll();
    this.server.closeAllConnections();
  }
}
