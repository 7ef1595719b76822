'use strict';

// How a user comes back with its last id on each transport, behind the web server: what it is given of bound topics.

const assert = require('node:assert/strict');
const { bindKey } = require('./bind-keys');
const { END } = require('./bound');
const { EventStream } = require('./event-stream');
const { follow, request } = require('./http');
const { Subscriber } = require('./subscriber');
const { LinePeer, takeUntil } = require('./two-way');
const { WebSocketPeer } = require('./websocket');

/** A ticket for a subscription, as clients get one that follow no redirection. */
async function ticketFor(bound, body) {
  const answer = await request(`${bound.url}ticket`, { method: 'POST', agent: false, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.ticket;
}

async function readPeer(peer, end) {
  const taken = await takeUntil(peer, end);
  peer.destroy();
  return { events: taken.map((json) => json.e), connected: peer.connected };
}

/** Each gives the events up to the one of type `end`, and what `connected` said. */
const TRANSPORTS = {
  frames: async (bound, body, end) => {
    const stream = await Subscriber.open(bound.url, body);
    const taken = await stream.takeUntil(end);
    await stream.close();
    return { events: taken.map((frame) => frame.json.e), connected: stream.connected };
  },
  'Server-Sent Events': async (bound, { ep, bind_key: key, last_id: id }, end) => {
    const query = new URLSearchParams([...ep.map(({ topic }) => ['binded', topic]), ['bind_key', key], ['last_id', id]]);
    const stream = await EventStream.open(`${bound.url}sse?${query}`);
    const { connected } = stream;
    const taken = await stream.takeUntil(end);
    stream.close();
    return { events: taken.map((event) => event.json.e), connected };
  },
  'long-poll': async (bound, body, end) => {
    const events = [];
    for (let last_id = body.last_id; !events.some((event) => event.type === end); ) {
      const { json, text } = await follow(`${bound.url}poll`, { method: 'POST', agent: false, body: JSON.stringify({ ...body, last_id }) });
      assert.ok(json?.events, text);
      events.push(...json.events.map((frame) => frame.e));
      last_id = json.id;
    }
    return { events, connected: events[0].detail };
  },
  WebSocket: async (bound, body, end) => {
    const peer = await WebSocketPeer.open(bound.stack.port, `/ws?ticket=${await ticketFor(bound, body)}`);
    return readPeer(peer, end);
  },
  'raw TCP': async (bound, body, end) => readPeer(await LinePeer.open(bound.linesPort, { ticket: await ticketFor(bound, body) }), end),
};

/** What `user` is given on each transport, which has to be the same: the types of events, and whether it is told that this is all. */
async function comeBack(bound, user, last_id, ...names) {
  const type = `end-of-past-${Math.random()}`;
  assert.equal((await bound.publish(END, { as: 'ana', type })).result, 'sent');
  const results = {};
  for (const [name, fetch] of Object.entries(TRANSPORTS)) {
    const ep = [...names, END].map((topic) => ({ topic, binded: true }));
    const { events, connected } = await fetch(bound, { ep, last_id, bind_key: bindKey(user) }, type);
    const types = events.map((event) => event.type).filter((each) => each !== 'connected' && !each.startsWith('end-'));
    results[name] = { types, recovered: connected.recovered };
  }
  const [first] = Object.values(results);
  for (const [name, result] of Object.entries(results)) {
    assert.deepEqual(result, first, `${name}: ${JSON.stringify(results)}`);
  }
  return first;
}

module.exports = { comeBack };
