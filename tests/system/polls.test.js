'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { afterEach, beforeEach, test } = require('node:test');
const { request } = require('./lib/http');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const POLLERS = 100;
const EVENTS = 1000;

/** Polls until the last event was had, as the same client throughout. */
class Poller {
  heard = [];
  polls = 0;
  past = {};

  constructor(stack, agent, name) {
    Object.assign(this, { stack, agent, name });
  }

  async poll(more = {}) {
    const body = JSON.stringify({ ep: ['p/#'], clid: this.name, ...this.past, ...more });
    const answer = await request(`${this.stack.url}/poll`, { method: 'POST', agent: this.agent, body });
    assert.equal(answer.status, 200, answer.text);
    const { events, id } = answer.json;
    events.forEach((frame, i) => assert.ok(i === 0 || frame.iat >= events[i - 1].iat, 'iat goes back'));
    const { connid, secret, recovered } = events[0].e.detail;
    assert.notEqual(recovered, false);
    assert.ok(!this.past.connid || this.past.connid === connid, 'it is still the same connection');
    this.past = { last_id: id, connid, secret };
    this.polls++;
    return events.slice(1);
  }

  async untilLast() {
    while (this.heard.at(-1) !== EVENTS - 1) {
      this.heard.push(...(await this.poll()).map((frame) => frame.e.detail));
    }
  }
}

let stack;
beforeEach(async () => {
  stack = await Stack.start('polls', { handlers: 1 });
});
afterEach(() => stack?.stop());

const streamsBegun = async () => (await stack.look('/state')).streams_begun;

test(`${POLLERS} that poll get each of ${EVENTS} events once and in order`, async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: POLLERS });
  const pollers = Array.from({ length: POLLERS }, (_, i) => new Poller(stack, agent, `poller-${i}`));
  await Promise.all(pollers.map((poller) => poller.poll({ wait: 0 })));
  const all = Promise.all(pollers.map((poller) => poller.untilLast()));
  for (let i = 0; i < EVENTS; i++) {
    const answer = await stack.post({ ep: [`p/${i % 10}`], e: { type: 'x', detail: i } });
    assert.equal(answer.status, 200, answer.text);
  }
  await all;
  const whole = Array.from({ length: EVENTS }, (_, i) => i);
  for (const poller of pollers) {
    assert.deepEqual(poller.heard, whole, poller.name);
  }
  // Each is present once still, though none is polling.
  const counts = await stack.look('/connections');
  assert.equal(counts['@TOTAL@'], POLLERS);
  assert.equal(counts['poller-0'], 1);
  agent.destroy();
});

test('what is too much for one answer comes in several', async () => {
  const client = new Poller(stack, undefined, 'late');
  await client.poll({ wait: 0 });
  const detail = 'x'.repeat(10_000);
  for (let i = 0; i < 50; i++) {
    assert.equal((await stack.post({ ep: [`p/${i}`], e: { type: String(i), detail } })).status, 200);
  }
  const types = [];
  while (types.at(-1) !== '49') {
    types.push(...(await client.poll({ wait: 0 })).map((frame) => frame.e.type));
  }
  assert.deepEqual(types, Array.from({ length: 50 }, (_, i) => String(i)));
  assert.ok(client.polls > 3, `${client.polls} polls`);
});

test('a poll that is cut off before its answer: the next one is the same client still, with its whispers', async () => {
  const poller = new Poller(stack, undefined, 'cut');
  await poller.poll({ wait: 0 });
  const begun = await streamsBegun();
  for (let i = 1; i <= 3; i++) {
    const sent = http.request(`${stack.url}/poll`, { method: 'POST', agent: false });
    sent.on('error', () => {});
    sent.end(JSON.stringify({ ep: ['p/#'], clid: 'cut', ...poller.past }));
    await until('the poll waits', async () => (await streamsBegun()) === begun + 2 * i - 1);
    sent.destroy();
    await poller.poll({ wait: 0 });
  }
  const { connid } = poller.past;
  await stack.post({ ep: [{ topic: 'p/w', whisper: connid }], e: { type: 'whispered' } });
  assert.deepEqual((await poller.poll()).map((frame) => frame.e.type), ['whispered']);
});
