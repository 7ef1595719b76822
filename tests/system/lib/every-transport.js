'use strict';

// One client for each transport, so that a test can say the same of all of them.

const { EventStream } = require('./event-stream');
const { follow } = require('./http');
const { Subscriber } = require('./subscriber');
const { LinePeer, takeUntil } = require('./two-way');
const { within } = require('./wait');
const { WebSocketPeer } = require('./websocket');

/** A subscription as it stands in a query. */
function queryOf({ ep = [], ...fields }) {
  const kind = (topic) => (topic.private && 'private') || (topic.binded && 'binded') || 'ep';
  return new URLSearchParams([
    ...ep.map((topic) => [kind(topic), topic.topic ?? topic]),
    ...Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  ]);
}

async function post(url, body) {
  const answer = await follow(url, { method: 'POST', agent: false, body: JSON.stringify(body) });
  if (answer.status !== 200) {
    throw new Error(`answered ${answer.status} ${answer.reason}`);
  }
  return answer.json;
}

/** Asks again and again, as the same client, as long as something is awaited. */
class Poller {
  #frames = [];

  static async open(url, body) {
    const poller = new Poller();
    poller.url = url;
    poller.body = body;
    await poller.#poll(0);
    return poller;
  }

  async #poll(wait) {
    const { events, id } = await post(this.url, { ...this.body, ...this.past, wait });
    this.connected ??= events[0].e.detail;
    const { connid, secret } = events[0].e.detail;
    this.past = { last_id: id, connid, secret };
    this.#frames.push(...events.slice(1));
  }

  takeUntil(type) {
    const isWanted = (frame) => frame.e.type === type;
    const ask = async () => {
      while (!this.#frames.some(isWanted)) {
        await this.#poll();
      }
      return this.#frames.splice(0, this.#frames.findIndex(isWanted) + 1);
    };
    return within(`an event of type ${type}`, ask());
  }

  async close() {} // nothing is held
}

const client = (connected, take, close) => ({ connected, takeUntil: take, close });

const ofPeer = (peer) => client(peer.connected, (type) => takeUntil(peer, type), async () => peer.destroy());

/**
 * Opens a stream of each kind: `place` has the `url` behind the web server, its `port`, and the `linesPort` of the daemon.
 * `connected` is the first frame's detail, takeUntil(type) gives the frames up to that one. A refusal rejects, with its reason.
 */
const TRANSPORTS = {
  async frames({ url }, subscription) {
    const stream = await Subscriber.open(url, subscription);
    const take = async (type) => (await stream.takeUntil(type)).map((frame) => frame.json);
    return client(stream.connected, take, () => stream.close());
  },
  async sse({ url }, subscription) {
    const stream = await EventStream.open(`${url}sse?${queryOf(subscription)}`);
    const { connected } = stream;
    return client(connected, async (type) => (await stream.takeUntil(type)).map((event) => event.json), async () => stream.close());
  },
  poll: ({ url }, subscription) => Poller.open(`${url}poll`, subscription),
  async websocket({ port }, subscription) {
    return ofPeer(await WebSocketPeer.open(port, `/notify/ws?${queryOf(subscription)}`));
  },
  async lines({ url, linesPort }, { connid, secret, ...subscription }) {
    const { ticket } = await post(`${url}ticket`, subscription);
    return ofPeer(await LinePeer.open(linesPort, { ticket, connid, secret }));
  },
};

module.exports = { TRANSPORTS, post, queryOf };
