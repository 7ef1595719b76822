'use strict';

// Each ticket is good once, across restarts of the daemon; and a page whose ticket was signed just before one asks again.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { freePort } = require('./lib/ports');
const { LinePeer } = require('./lib/two-way');
const { RawConnection } = require('./lib/raw');
const { handshakeText } = require('./lib/websocket');

const TOPIC = 'CASA/NIVEL_AGUA';

for (const log of ['in memory', 'on disk']) {
  describe(`tickets and restarts, with the log ${log}`, () => {
    let bound;
    let linesPort;
    before(async () => {
      linesPort = await freePort();
      const config = { fanout: { listen_lines: `127.0.0.1:${linesPort}` } };
      if (log === 'on disk') {
        config.log = { path: 'log.db', sync: 'always' };
      }
      bound = await Bound.start({ config });
      await bound.add(TOPIC, { sub: ['luis'] });
    });
    after(() => bound?.stop());

    const ticket = async () => {
      const body = JSON.stringify({ ep: [{ topic: TOPIC, binded: true }], bind_key: bindKey('luis') });
      const answer = await request(`${bound.url}ticket`, { method: 'POST', agent: false, body });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.ticket;
    };
    const restart = async () => {
      await bound.stack.daemon.end();
      await bound.stack.startDaemon();
    };
    const use = (text, path = '') => bound.stack.get(`/${path}?ticket=${text}&wait=0`);

    test('one that was used is not good again', async () => {
      const used = await ticket();
      assert.equal((await use(used, 'poll')).status, 200);
      assert.deepEqual([(await use(used, 'poll')).status, (await use(used, 'poll')).reason], [400, 'Invalid ticket']);
      await restart();
      const again = await use(used, 'poll');
      assert.deepEqual([again.status, again.headers['retry-after']], [503, '1']);
    });

    test('one that was not is refused in words that let each client ask again at once', async () => {
      const tickets = await Promise.all(Array.from({ length: 5 }, ticket));
      await restart();
      for (const path of ['', 'poll']) {
        const answer = await use(tickets.pop(), path);
        assert.deepEqual([answer.status, answer.json.error, answer.headers['retry-after']], [503, 'Ticket from before the start', '1']);
      }
      const raw = await RawConnection.open(bound.stack.port);
      await raw.write(handshakeText(`/ws?ticket=${tickets.pop()}`));
      assert.equal((await raw.head()).status, 503);
      raw.destroy();
      const peer = await LinePeer.connect(linesPort);
      await peer.say({ ticket: tickets.pop() });
      assert.deepEqual(await peer.message(), { error: 'Ticket from before the start' });
      peer.destroy();
      // EventSource would be closed for good by any other status.
      const answer = await bound.stack.get(`/sse?ticket=${tickets.pop()}`, { headers: { Accept: 'text/event-stream' } });
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/event-stream;charset=utf-8']);
      assert.match(answer.text, /^retry: \d+\n\n$/);
    });

    test('who asks after the restart is let in at once', async () => {
      await restart();
      for (let i = 0; i < 3; i++) {
        const stream = await EventStream.open(`${bound.stack.url}/sse?ticket=${await ticket()}`);
        assert.equal((await bound.publish(TOPIC, { as: 'ana', type: 'x' })).result, 'sent');
        await stream.takeUntil('x');
        stream.close();
      }
    });
  });
}
