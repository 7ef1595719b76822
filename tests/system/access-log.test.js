'use strict';

// The daemon's own log says who subscribed and posted: at level info, within limits, as text or as JSON.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

after(() => RawConnection.destroyAll());

const lines = (stack, pattern) => stack.daemon.output().split('\n').filter((line) => pattern.test(line));

/** Waits for a line of the daemon's log. */
const untilLine = (stack, pattern) => until(`the log has ${pattern}`, () => lines(stack, pattern).at(-1));

describe('the access log', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('access-log', { handlers: 1, config: { messages: { level: 'info' }, fanout: { max_topics_size: 4096 } } });
  });
  after(() => stack?.stop());

  test('has who subscribed to how much, by which transport, and why the stream ended', async () => {
    const stream = await stack.subscribe({ ep: ['a', 'b/#'], clid: 'ana' });
    const { connid } = stream.connected;
    const who = `address=127\\.0\\.0\\.1 client=ana user=- connid=${connid} transport=\\S+ topics=2`;
    await untilLine(stack, new RegExp(`info esn-fanout: subscribed ${who}$`));
    stream.close();
    await untilLine(stack, new RegExp(`info esn-fanout: "?stream ended"? ${who} reason=(client|reset)$`));
  });

  test('has what was posted, and what was refused', async () => {
    await stack.publish('news/today', 'x', 'y');
    await untilLine(stack, /info esn-fanout: posted by=\S+ topic=news\/today sequence=\d+ bytes=\d+ receivers=0$/);
    const twice = { id: 'again', ep: ['news/today'], e: { type: 'x' } };
    await stack.post(twice);
    await stack.post(twice);
    await untilLine(stack, /info esn-fanout: "?post refused"? by=\S+ user=- topic=news\/today reason=double$/);
    const body = JSON.stringify({ ep: Array.from({ length: 200 }, (_, i) => `many/${i}`), clid: 'greedy' });
    const answer = await stack.get('/', { method: 'POST', body });
    assert.equal(answer.status, 400, answer.text);
    await untilLine(stack, /: "?subscription refused"? address=127\.0\.0\.1 client=greedy user=- topics=200 reason=".+"$/);
  });

  test('has a poll once, however often its client comes back', async () => {
    let past = {};
    for (let i = 0; i < 4; i++) {
      const body = JSON.stringify({ ep: ['p'], clid: 'polling', wait: 0, ...past });
      const { events, id } = (await stack.get('/poll', { method: 'POST', body })).json;
      const { connid, secret } = events[0].e.detail;
      past = { last_id: id, connid, secret };
    }
    await stack.publish('after/polls', 'x');
    await untilLine(stack, /topic=after\/polls/);
    assert.equal(lines(stack, /client=polling/).length, 1);
  });
});

describe('the limits of the access log', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('access-limits', { config: { messages: { level: 'info', access_rate: 5 } } });
  });
  after(() => stack?.stop());

  async function subscribe(localAddress) {
    const connection = await RawConnection.open(stack.port, { localAddress });
    const body = '{"ep":["a"]}';
    await connection.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await connection.head();
    return connection;
  }

  test('are for each address', async () => {
    const streams = [];
    const begin = Date.now();
    for (const [address, count] of [['127.0.0.77', 12], ['127.0.0.78', 2]]) {
      for (let i = 0; i < count; i++) {
        streams.push(await subscribe(address));
      }
    }
    await stack.untilTotal(14);
    await until('both of the other address are there', () => lines(stack, /subscribed address=127\.0\.0\.78/).length === 2);
    const most = 5 + Math.floor((Date.now() - begin) / 12_000); // one every twelve seconds
    const { length } = lines(stack, /subscribed address=127\.0\.0\.77/);
    assert.ok(length >= 5 && length <= most, `${length} lines, and not 5 to ${most}`);
    streams.forEach((stream) => stream.destroy());
    await stack.untilTotal(0);
  });
});

describe('lines as JSON', () => {
  const HOSTILE = 'a"b\\c\u0001\u007f\u00e9\u{1f600}\u2028</script>';
  let stack;
  before(async () => {
    stack = await Stack.start('json-log', { handlers: 1, config: { messages: { level: 'info', format: 'json' } } });
  });
  after(() => stack?.stop());

  test('are one object each, with the same fields, whatever a client is called', async () => {
    const stream = await stack.subscribe({ ep: ['a'], clid: HOSTILE });
    await untilLine(stack, new RegExp(`"connid":${stream.connected.connid},`));
    await stack.publish('b', 'x');
    await untilLine(stack, /"posted"/);
    stream.close();
    await untilLine(stack, /"stream ended"/);
    const all = [stack.daemon, ...stack.handlers].flatMap(({ log }) => fs.readFileSync(log, 'utf8').trimEnd().split('\n'));
    const objects = all.map((line) => JSON.parse(line));
    objects.forEach(({ time, level, program, message }) => {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.match(level, /^(error|warning|info)$/);
      assert.match(program, /^esn-(fanout|event)$/);
      assert.ok(message.length > 0);
    });
    const subscribed = objects.find(({ message }) => message === 'subscribed');
    assert.deepEqual({ ...subscribed, time: '' }, {
      time: '', level: 'info', program: 'esn-fanout', message: 'subscribed', address: '127.0.0.1', client: HOSTILE,
      user: '-', connid: stream.connected.connid, transport: subscribed.transport, topics: 1,
    });
  });
});
