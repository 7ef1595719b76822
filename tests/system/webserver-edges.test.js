'use strict';

// What must be the same behind every web server: too large bodies, paths that are none, a daemon that is away.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { EventStream } = require('./lib/event-stream');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

const MEGABYTE = 1_000_000;
const event = JSON.stringify({ ep: ['a'], e: { type: 'x' } });
const padded = (size) => `${' '.repeat(size - event.length)}${event}`;

for (const name of Object.keys(servers)) {
  describe(`the edges of ${name}`, () => {
    let web;
    const send = (path, options) => request(`${web.url}${path}`, { method: 'POST', agent: false, ...options });
    const post = (path, body, headers) =>
      send(path, { body, headers: { Authorization: `Bearer ${web.stack.publishToken}`, ...headers } });

    before(async () => {
      web = await BehindWebServer.start(name, { config: { fanout: { retry_time: '400ms', keep_alive: '1s' } } });
    });
    after(() => web?.stop());

    test('a body that is too large is answered 413, whoever refuses it', async () => {
      assert.equal((await post('event', padded(MEGABYTE))).status, 200);
      for (const size of [MEGABYTE + 1, 2 * MEGABYTE, 3 * MEGABYTE, 20 * MEGABYTE]) {
        for (const path of ['event', '', 'poll', 'alive']) {
          const answer = await post(path, padded(size));
          assert.equal(answer.status, 413, `${size} bytes to ${path}: ${answer.status} ${answer.text}`);
          assert.equal(typeof answer.json?.error, 'string', answer.text);
          if (name !== 'Apache with plain CGI') {
            // CGI does not say where a body ends whose length was not announced: 411, at the end of the connection.
            const headers = { 'Transfer-Encoding': 'chunked' };
            assert.equal((await post(path, padded(size), headers)).status, 413, `${size} bytes in chunks to ${path}`);
          }
        }
      }
    });

    test('what stands behind a path is another path', async () => {
      for (const path of ['event/x/y', 'eventx', 'ticket/x', 'sse/x', 'poll/x']) {
        const answer = await post(path, event);
        assert.deepEqual([answer.status, answer.json?.error], [404, 'Not found'], `${path}: ${answer.text}`);
      }
      const report = await post('event/x', event); // where only who looks may come
      assert.deepEqual([report.status, report.json?.error], [405, 'Method Not Allowed'], report.text);
    });

    test('a site that compresses holds no event back', async () => {
      const headers = { 'Accept-Encoding': 'gzip, deflate, br' };
      const page = await request(new URL('/page.html', web.url), { agent: false, headers });
      assert.ok(page.headers['content-encoding'], 'it compresses');
      const streams = [
        await EventStream.open(`${web.url}sse?ep=a`, { headers }),
        await EventStream.open(web.url, { method: 'POST', body: '{"ep":["a"]}', headers }),
        await Subscriber.open(web.url, ['a'], { headers }),
      ];
      for (const { rawHeaders } of streams) assert.doesNotMatch(rawHeaders.join(), /content-encoding/i);
      await web.stack.publish('a', 'x');
      await Promise.all(streams.map((stream) => stream.takeUntil('x')));
      streams.forEach((stream) => stream.close());
    });

    test('a burst of requests ends none of its processes', async () => {
      const stays = await EventStream.open(`${web.url}sse?ep=a`);
      const ask = () => send('token', { body: '{"refresh_token": "none"}' });
      for (let round = 0; round < 4; round++) {
        const answers = await Promise.all(Array.from({ length: 100 }, ask));
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [answers[0].status]);
      }
      assert.equal(stays.isOver, false);
      stays.close();
    });

    test('a daemon that is away is 503 and when to come back, and to an event stream 200 and the same', async () => {
      const stream = await EventStream.open(`${web.url}sse?ep=a`);
      assert.ok(stream.retry >= 100 && stream.retry <= 400, `retry: ${stream.retry}`);
      assert.equal(await web.stack.daemon.end(), 0);
      await until('the stream is over', () => stream.isOver);
      // Where streams are sent to the daemon's own address, nobody is there to answer in its place.
      if (web.mode === 'redirect') {
        await assert.rejects(EventStream.open(`${web.url}sse?ep=a`), { code: 'ECONNREFUSED' });
      } else {
        const headers = { Accept: 'text/event-stream' };
        const away = await request(`${web.url}sse?ep=a`, { headers, agent: false });
        assert.equal(away.status, 200, away.text);
        assert.match(away.headers['content-type'], /^text\/event-stream/);
        assert.match(away.text, /^retry: \d+\n\n$/);
        assert.equal(away.headers['access-control-allow-origin'], '*');
        const body = '{"ep": ["a"]}';
        for (const plain of [await send('', { body }), await request(`${web.url}poll?ep=a`, { agent: false })]) {
          assert.equal(plain.status, 503);
          assert.match(plain.headers['retry-after'], /^\d+$/);
          assert.equal(plain.headers['access-control-allow-origin'], '*');
          assert.equal(plain.json?.error, 'The broker is away');
        }
      }
      await web.stack.startDaemon();
      (await EventStream.open(`${web.url}sse?ep=a`)).close(); // at once: no memory of the time when it was away
      await web.stack.untilTotal(0);
      await web.stack.publishInTheEnd('a', 'back');
    });
  });
}
