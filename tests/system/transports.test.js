'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { EventStream } = require('./lib/event-stream');
const { follow, request } = require('./lib/http');

const SERVERS = ['nginx', 'Apache with mod_fcgid', 'Apache with mod_proxy_fcgi'];

const query = (fields) =>
  new URLSearchParams(Object.entries(fields).flatMap(([name, value]) => [].concat(value).map((each) => [name, each])));

/** POSTs JSON and follows the redirection to the daemon, as fetch does. */
async function post(url, body) {
  const answer = await request(url, { method: 'POST', agent: false, body: JSON.stringify(body) });
  return answer.status === 303 ? request(answer.headers.location, { agent: false }) : answer;
}

for (const web of SERVERS) {
  describe(`other transports behind ${web}`, () => {
    let bound;
    before(async () => {
      // Apache notices that a client is gone when it writes to it a second time.
      bound = await Bound.start({ web, config: { fanout: { poll_gap: '1m', keep_alive: '1s' } } });
      await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
    });
    after(() => bound?.stop());

    /** Who polls is present for a minute more, unless it comes back as a stream that it closes. */
    const leave = async ({ connid, secret }) => {
      const stream = await bound.stack.subscribe({ ep: [], connid, secret });
      assert.equal(stream.connid, connid);
      await stream.close();
      await bound.stack.untilTotal(0);
    };

    test('Server-Sent Events come at once and are resumed', async () => {
      const first = await EventStream.open(`${bound.url}sse?${query({ ep: ['a/+', 'b/#'], clid: 'sse' })}`);
      assert.equal(first.headers['content-type'], 'text/event-stream;charset=utf-8');
      assert.equal(first.events[0].type, 'connected');
      assert.ok(first.retry >= 0);
      await bound.post('a/x', { type: 'one' });
      await bound.post('b', { type: 'two' });
      const taken = (await first.takeUntil('two')).slice(1);
      assert.deepEqual(taken.map((event) => [event.type, event.json.ep.requested]), [['message', 'a/+'], ['message', 'b/#']]);
      assert.equal(taken[1].id, taken[1].json.id);
      first.close();
      await bound.stack.untilTotal(0);
      await bound.post('a/y', { type: 'missed' });
      const again = await EventStream.open(`${bound.url}sse?${query({ ep: 'a/+' })}`, { headers: { 'Last-Event-ID': taken[1].id } });
      assert.equal(again.connected.recovered, true);
      assert.equal((await again.takeUntil('missed')).length, 2);
      again.close();
      await bound.stack.untilTotal(0);
    });

    test('a bind key in the query binds, and last_id goes along', async () => {
      const fields = { binded: 'CASA/NIVEL_AGUA', ep: 'plain' };
      const first = await EventStream.open(`${bound.url}sse?${query({ ...fields, bind_key: bindKey('luis') })}`);
      assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'bound' })).receivers, 1);
      const [{ id }] = (await first.takeUntil('bound')).slice(-1);
      first.close();
      await bound.stack.untilTotal(0);
      await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'missed' });
      for (const headers of [{ 'Last-Event-ID': id }, {}]) {
        const last = { last_id: headers['Last-Event-ID'] ? '1-1' : id }; // that of the query is older
        const url = `${bound.url}sse?${query({ ...fields, ...last, bind_key: bindKey('luis') })}`;
        const again = await EventStream.open(url, { headers });
        assert.equal(again.connected.recovered, true);
        assert.equal((await again.takeUntil('missed')).length, 2);
        again.close();
      }
      await assert.rejects(EventStream.open(`${bound.url}sse?${query({ ...fields, bind_key: 'none' })}`), /400 Invalid Bind Key/);
      await assert.rejects(EventStream.open(`${bound.url}sse?${query(fields)}`), /400 Bound topics need a bind key/);
      await bound.stack.untilTotal(0);
    });

    test('a Last-Event-ID that is no text is passed over, also behind a hand-off', async () => {
      for (const fields of [{ ep: 'plain' }, { binded: 'CASA/NIVEL_AGUA', bind_key: bindKey('luis') }]) {
        const url = `${bound.url}sse?${query(fields)}`;
        const stream = await EventStream.open(url, { headers: { 'Last-Event-ID': '\u00ff\u00fe no id' } }); // sent as Latin-1
        assert.notEqual(stream.connected.recovered, true);
        stream.close();
      }
      await bound.stack.untilTotal(0);
    });

    test('POST / by a client that accepts an event stream', async () => {
      const stream = await EventStream.open(bound.url, { method: 'POST', body: '{"ep":["a/b"]}' });
      assert.equal(stream.events[0].type, 'connected');
      await bound.post('a/b', { type: 'hello' });
      await stream.takeUntil('hello');
      stream.close();
      await bound.stack.untilTotal(0);
    });

    test('nothing falls between two polls, not even a whisper', async () => {
      const body = { ep: ['a/b', { topic: 'CASA/NIVEL_AGUA', binded: true }], clid: 'poller' };
      let answer = await post(`${bound.url}poll`, { ...body, bind_key: bindKey('luis'), wait: 0 });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json.events.map((frame) => frame.e.type), ['connected']);
      const heard = [];
      for (let round = 0; round < 5; round++) {
        const { connid, secret } = answer.json.events[0].e.detail;
        await bound.post('a/b', { type: `plain-${round}` });
        await bound.post({ topic: 'a/b', whisper: connid }, { type: `whisper-${round}` });
        await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: `bound-${round}` });
        const past = { last_id: answer.json.id, connid, secret, bind_key: bindKey('luis') };
        answer = await post(`${bound.url}poll`, { ...body, ...past });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.events[0].e.detail.connid, connid);
        assert.equal(answer.json.events[0].e.detail.recovered, true);
        heard.push(...answer.json.events.slice(1).map((frame) => frame.e.type));
        assert.equal((await bound.stack.look('/connections?clid=poller')), 1);
      }
      assert.deepEqual(heard, [0, 1, 2, 3, 4].flatMap((round) => [`plain-${round}`, `whisper-${round}`, `bound-${round}`]));
      await leave(answer.json.events[0].e.detail);
    });

    test('a poll is answered by the event that it waits for', async () => {
      const waiting = post(`${bound.url}poll`, { ep: ['wait/here'] });
      await bound.post('nowhere', { type: 'other' });
      let receivers = 0;
      while (receivers === 0) {
        receivers = (await bound.post('wait/here', { type: 'come' })).json.receivers;
      }
      const answer = await waiting;
      assert.deepEqual(answer.json.events.map((frame) => frame.e.type), ['connected', 'come']);
      assert.equal(answer.json.id, answer.json.events[1].id);
      assert.equal(answer.headers['content-type'], 'application/json;charset=utf-8');
      await leave(answer.json.events[0].e.detail);
    });

    test('a ticket alone, for whatever transport', async () => {
      const ask = () =>
        request(`${bound.url}ticket`, {
          method: 'POST',
          agent: false,
          body: JSON.stringify({ ep: [{ topic: 'CASA/NIVEL_AGUA', binded: true }], clid: 'of-ticket', bind_key: bindKey('luis') }),
        });
      const { json } = await ask();
      assert.equal(typeof json.ticket, 'string');
      const stream = await EventStream.open(`${bound.url}sse?ticket=${json.ticket}`);
      assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'x' })).receivers, 1);
      await stream.takeUntil('x');
      assert.equal(await bound.stack.look('/connections?clid=of-ticket'), 1);
      await assert.rejects(EventStream.open(`${bound.url}sse?ticket=${json.ticket}`), /400 Invalid ticket/);
      const polled = await follow(`${bound.url}poll?ticket=${(await ask()).json.ticket}&wait=0`, { agent: false });
      assert.deepEqual(polled.json.events.map((frame) => frame.e.type), ['connected']);
      stream.close();
      await leave(polled.json.events[0].e.detail);
      const refused = await request(`${bound.url}ticket`, { method: 'POST', agent: false, body: '{"ep":[],"bind_key":"x"}' });
      assert.deepEqual([refused.status, refused.reason], [400, 'Invalid Bind Key']);
    });
  });
}
