'use strict';

// Not whether events come through a proxy but when: beside a stream of the daemon itself, in the same run.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { proxies, startProxy } = require('./lib/proxies');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { BehindWebServer, servers } = require('./lib/webservers');

const EVENTS = 120;
/** How many of the events after it may have come directly, and one not yet by the proxy: a delayed one is behind by some 40. */
const BEHIND = 10;
/** So many have to be no further behind. Where each is delayed, far fewer are; where a proxy waits for its turn, not all. */
const ENOUGH = 36;

const ways = {
  ...Object.fromEntries(Object.keys(servers).map((name) => [name, () => BehindWebServer.start(name)])),
  ...Object.fromEntries(
    proxies.map((kind) => [
      kind,
      async () => {
        const stack = await Stack.start('delays', { handlers: 1 });
        const proxy = await startProxy(kind, stack.folder, stack.port);
        return { stack, url: proxy.url, stop: async () => (await proxy.stop(), stack.stop()) };
      },
    ]),
  ),
};

for (const [name, start] of Object.entries(ways)) {
  describe(`when events come through ${name}`, () => {
    let way;
    before(async () => {
      way = await start();
    });
    after(() => way?.stop());

    for (const [transport, open, count] of [
      ['frames', (url) => Subscriber.open(url, ['a']), (stream) => stream.frames.length],
      ['Server-Sent Events', (url) => EventStream.open(`${url}sse?ep=a`), (stream) => stream.events.length],
    ]) {
      test(`${transport}: with those of the daemon itself`, async () => {
        const direct = await open(`${way.stack.url}/`);
        const proxied = await open(way.url);
        const behind = [];
        for (let i = 1; i <= EVENTS; i++) {
          await way.stack.publish('a', 'x');
          await direct.until('the event has come directly', () => count(direct) === i + 1);
          behind.push(count(direct) - count(proxied));
        }
        behind.sort((a, b) => a - b);
        assert.ok(behind[ENOUGH] <= BEHIND, `${behind} events behind`);
        await proxied.until('all have come', () => count(proxied) === EVENTS + 1);
        direct.close();
        proxied.close();
      });
    }
  });
}
