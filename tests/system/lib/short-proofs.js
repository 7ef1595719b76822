'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { request } = require('./http');
const { Subscriber } = require('./subscriber');
const { SECRET, accessToken } = require('./tokens');
const { pause, until } = require('./wait');
const { BehindWebServer } = require('./webservers');

/** A page whose tokens end all the time: it renews its stream, or lets it end and comes back. */
class Visitor {
  heard = 0; // the newest event of its group: they count from 1
  expired = 0;
  renewed = 0;
  #past = {}; // by which it comes back
  #newest = 0; // `iat` of the newest event on this stream

  constructor(world, index) {
    this.world = world;
    this.user = `user-${index}`;
    this.group = index % world.groups;
    this.topics = [{ topic: `orders/${this.group}`, private: true }];
  }

  #token() {
    return accessToken(this.user, {
      seconds: this.world.lifeMs / 1000,
      claims: { sid: `session-${this.user}`, esn: { sub: [`orders/${this.group}`] } },
    });
  }

  async run() {
    while (!this.world.isOver) {
      const stream = await this.#come();
      await Promise.race([this.#keepUp(stream), stream.over]);
      await stream.over;
      await this.#leave(stream);
    }
  }

  async #come() {
    const { url } = this.world;
    const body = { clid: this.user, ep: this.topics, token: this.#token(), ...this.#past };
    const comesBack = this.#past.last_id !== undefined;
    this.#newest = 0;
    const stream = await Subscriber.open(url, body, { onFrame: (frame) => this.#take(frame.json) });
    assert.equal(stream.connected.identity.uid, this.user);
    if (comesBack) {
      assert.equal(stream.connected.recovered, true, `${this.user} came back too late`);
    }
    this.until = stream.connected.identity.until;
    this.#past = { ...this.#past, connid: stream.connid, secret: stream.secret };
    this.stream = stream;
    return stream;
  }

  #take({ iat, id, ep, e }) {
    this.#past = { ...this.#past, last_id: id };
    if (ep.emitted === '@SERVER@') {
      this.expired += e.type === 'expired' ? 1 : 0;
      return;
    }
    this.#newest = iat;
    if (e.detail !== this.heard + 1) {
      this.world.fail(`${this.user} heard ${e.detail} after ${this.heard}`);
    }
    this.heard = e.detail;
    this.stream?.frames.splice(0);
  }

  /** Renews well before the end, or, by chance, lets it come. */
  async #keepUp(stream) {
    while (!stream.isOver && !this.world.isOver) {
      await pause(Math.max(0, this.until - Date.now()) * (0.3 + 0.4 * Math.random()));
      if (stream.isOver || Math.random() < this.world.lapsing) {
        return;
      }
      await this.#renew();
    }
  }

  async #renew() {
    const { url, agent } = this.world;
    const post = (path, body) => request(`${url}${path}`, { method: 'POST', agent, body: JSON.stringify(body) });
    const asked = await post('ticket', { ep: this.topics, token: this.#token() });
    assert.equal(asked.status, 200, asked.text);
    const { connid, secret } = this.#past;
    const answer = await post('alive', { connid, secret, ticket: asked.json.ticket });
    if (answer.status === 200) {
      this.renewed++;
      this.until = answer.json.until;
      this.#past = { ...this.#past, secret: answer.json.secret };
    } else {
      assert.equal(answer.text, '{"error":"Invalid data"}', 'it had ended meanwhile');
    }
  }

  async #leave(stream) {
    assert.equal(stream.fault, undefined);
    if (!this.world.isOver) {
      assert.ok(stream.endedCleanly, `${this.user} was cut off`);
    }
    if (this.#newest > this.until) {
      this.world.fail(`${this.user} heard something ${this.#newest - this.until} ms after its grant had ended`);
    }
  }
}

/**
 * `streams` visitors with tokens of `lifeMs` behind nginx, in `groups` with a private topic each, under `rate` events a
 * second for `durationMs`. Each has to hear each event of its group once and in order, and none after the end of a grant.
 * `lapsing`: how often one does not renew. Gives figures.
 */
async function runShortProofs(label, { streams, groups, rate, durationMs, lifeMs, lapsing = 0.3 }) {
  const web = await BehindWebServer.start('nginx', {
    config: { token: { keys_file: 'token.keys' } },
    prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const world = { url: web.url, agent, groups, lifeMs, lapsing, isOver: false, faults: [] };
  world.fail = (what) => world.faults.push(what);
  const visitors = Array.from({ length: streams }, (_, i) => new Visitor(world, i));
  const running = visitors.map((visitor) =>
    visitor.run().catch((error) => world.fail(`${visitor.user}: ${error.message}`)),
  );
  try {
    await until('all are there', () => world.faults.length > 0 || visitors.every((visitor) => visitor.until), 120_000);
    const sent = Array.from({ length: groups }, () => 0);
    const begun = Date.now();
    for (let i = 0; Date.now() < begun + durationMs && world.faults.length === 0; i++) {
      const group = i % groups;
      const ep = [{ topic: `orders/${group}`, private: true }];
      const answer = await web.stack.post({ ep, e: { type: 'order', detail: ++sent[group] } });
      assert.equal(answer.status, 200, `${label}: ${answer.text}`);
      await pause(Math.max(0, begun + ((i + 1) * 1000) / rate - Date.now()));
    }
    const isBehind = (visitor) => visitor.heard < sent[visitor.group];
    await until('all have heard everything', () => world.faults.length > 0 || !visitors.some(isBehind), 60_000 + lifeMs);
    assert.deepEqual(world.faults, []);
    const total = (name) => visitors.reduce((sum, visitor) => sum + visitor[name], 0);
    const state = await web.stack.look('/state');
    return {
      streams,
      events: sent.reduce((sum, count) => sum + count),
      heard: total('heard'),
      renewed: total('renewed'),
      expired: total('expired'),
      longest_turn_us: state.turns.longest.cpu_us,
    };
  } finally {
    world.isOver = true;
    await Promise.all(visitors.map((visitor) => visitor.stream?.close()));
    await Promise.all(running);
    agent.destroy();
    await web.stop();
  }
}

module.exports = { runShortProofs };
