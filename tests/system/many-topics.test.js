'use strict';

// As many topics as docs/protocol.md promises, behind each web server, by each transport that has a body, open and bound.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { EventStream } = require('./lib/event-stream');
const { follow, request } = require('./lib/http');
const { Subscriber } = require('./lib/subscriber');
const { servers } = require('./lib/webservers');
const { WebSocketPeer } = require('./lib/websocket');

const MANY = 1000;
const OF_A_TICKET = 75; // bound ones of 40 bytes
const BOUND = 'CASA/NIVEL_AGUA';
/** Topics of so many bytes that have nothing in common. */
const topics = (size) => Array.from({ length: MANY - 1 }, (_, i) => `${i}/`.padEnd(size, String.fromCharCode(97 + (i % 26))));

for (const name of Object.keys(servers)) {
  describe(`${MANY} topics behind ${name}`, () => {
    let bound;
    before(async () => {
      bound = await Bound.start({ web: name, config: { fanout: { keep_alive: '1s', poll_gap: '2s', max_body: '1M', max_topics_size: '2M' } } });
      await bound.add(BOUND, { sub: ['luis'] });
    });
    after(() => bound?.stop());

    /** The last of them is the one that an event is said on. */
    const bodies = {
      open: (size) => ({ ep: [...topics(size), 'last'] }),
      bound: (size) => ({
        bind_key: bindKey('luis'),
        ep: [...topics(size), BOUND].map((topic) => ({ topic, binded: true })),
      }),
    };
    const say = {
      open: async (type) => (await bound.post('last', { type })).json,
      bound: (type) => bound.publish(BOUND, { as: 'ana', type }),
    };

    for (const [kind, body] of Object.entries(bodies)) {
      for (const size of [40, 900]) {
        test(`${kind}, of ${size} bytes each`, async () => {
          const frames = await Subscriber.open(bound.url, body(size));
          const sse = await EventStream.open(bound.url, { method: 'POST', body: JSON.stringify(body(size)) });
          const first = await follow(`${bound.url}poll`, {
            method: 'POST',
            body: JSON.stringify({ ...body(size), wait: 0 }),
            agent: false,
          });
          assert.equal(first.status, 200, first.text);
          const { connid, secret } = first.json.events[0].e.detail;
          const again = { ...body(size), last_id: first.json.id, connid, secret };
          const poll = follow(`${bound.url}poll`, { method: 'POST', body: JSON.stringify(again), agent: false });
          await bound.stack.untilTotal(3);
          assert.equal((await say[kind]('x')).receivers, 3);
          await Promise.all([frames.takeUntil('x'), sse.takeUntil('x')]);
          const { events } = (await poll).json;
          assert.deepEqual(events.map((frame) => frame.e.type), ['connected', 'x']);
          assert.equal(events[0].e.detail.connid, connid, 'the client is the same one');
          await frames.close();
          sse.close();
          await bound.stack.untilTotal(0);
        });
      }
    }

    test('bound, brought to a WebSocket by several tickets', async () => {
      const { ep } = bodies.bound(40);
      const ask = async (part) => {
        const body = JSON.stringify({ ep: part, bind_key: bindKey('luis') });
        const answer = await request(`${bound.url}ticket`, { method: 'POST', body, agent: false });
        assert.equal(answer.status, 200, answer.text);
        return answer.json;
      };
      const first = await ask(ep.slice(0, OF_A_TICKET));
      const { port, pathname } = new URL(first.url && bound.web.mode === 'redirect' ? first.url : bound.url);
      const peer = await WebSocketPeer.open(Number(port), `${pathname}ws?ticket=${first.ticket}`);
      peer.answersPings = true;
      for (let from = OF_A_TICKET; from < MANY; from += OF_A_TICKET) {
        const { ticket } = await ask(ep.slice(from, from + OF_A_TICKET));
        await peer.say({ subscribe: [], ticket });
        const { type, detail } = (await peer.message()).e;
        assert.deepEqual([type, detail.topics], ['subscribed', Math.min(MANY, from + OF_A_TICKET)]);
      }
      const { ticket } = await ask([{ topic: 'one/too/many', binded: true }]);
      await peer.say({ subscribe: [], ticket });
      assert.deepEqual((await peer.message()).e, { type: 'error', detail: { error: 'Too many Event Points' } });
      assert.equal((await say.bound('x')).receivers, 1);
      const heard = await peer.message();
      assert.deepEqual([heard.ep.requested, heard.e.type], [BOUND, 'x']);
      peer.destroy();
      await bound.stack.untilTotal(0);
    });

    test('a ticket that stands for a body is worth nothing without it, and nothing twice', async () => {
      const body = JSON.stringify(bodies.bound(40));
      const ask = async () => (await request(`${bound.url}ticket`, { method: 'POST', body, agent: false })).json;
      const target = (ticket, path = '') => `${bound.url}${path}?ticket=${ticket}`;
      const send = (url, options) => follow(url, { agent: false, ...options });
      for (const [what, options] of [
        ['no body', {}],
        ['an empty one', { method: 'POST', body: '' }],
        ['another one', { method: 'POST', body: body.replace(BOUND, 'CASA/#') }],
        ['one byte more', { method: 'POST', body: `${body} ` }],
      ]) {
        const answer = await ask();
        assert.equal(answer.body, true, 'it says that the body is needed');
        const refused = await send(target(answer.ticket, 'poll'), options);
        assert.deepEqual([refused.status, refused.json?.error], [400, 'Invalid ticket'], `with ${what}`);
      }
      const { ticket } = await ask();
      const poll = { method: 'POST', body };
      assert.equal((await send(`${target(ticket, 'poll')}&wait=0`, poll)).status, 200);
      assert.equal((await send(`${target(ticket, 'poll')}&wait=0`, poll)).status, 400);
      const small = await request(`${bound.url}ticket`, { method: 'POST', body: '{"ep":["a"]}', agent: false });
      assert.deepEqual(Object.keys(small.json).filter((key) => key !== 'url'), ['ticket']);
    });
  });
}
