'use strict';

// The JavaScript client in a browser, with the real daemon.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Line } = require('../lib/line');
const { startNginx } = require('../system/lib/nginx');
const { freePort } = require('../system/lib/ports');
const { browserName, setScene } = require('./lib/scene');

const TRANSPORTS = ['ws', 'frames', 'sse', 'poll'];

const scene = setScene('client', { config: { log: { path: 'recent.log' } } });
const { open } = scene;

for (const transport of TRANSPORTS) {
  describe(`in ${browserName} by ${transport}`, () => {
    test('events, a whisper, presence, topics on the run', async () => {
      const tab = await open({ topics: ['a/#'], clid: 'tab', transports: [transport] });
      assert.equal(await tab.ready(), true);
      assert.equal(await tab.get('transport'), transport);
      await scene.stack.publish('a/b', 'one', { text: 'é 😀' });
      await tab.untilHeard('one');
      const connid = await tab.get('connid');
      await scene.stack.post({ ep: [{ topic: 'a/w', whisper: connid }], e: { type: 'whispered' } });
      await tab.untilHeard('whispered');
      await tab.evaluate(async () => {
        window.counts = [];
        window.client.presence('tab', (count) => window.counts.push(count));
        await window.client.subscribe('c');
      });
      await tab.until(() => window.counts[0] === 1);
      await scene.stack.publish('c', 'two');
      await tab.untilHeard('two');
      assert.deepEqual(await tab.heard(), ['one a/b', 'whispered a/w', 'available @CONNECTION@/tab', 'two c']);
      assert.deepEqual(await tab.faults(), []);
    });

    test('the daemon is killed: what was published meanwhile is heard once', async () => {
      const tab = await open({ topics: ['a/#', 'a/b'], transports: [transport] });
      await tab.ready();
      for (let i = 0; i < 3; i++) {
        await scene.stack.publish('a/b', `before-${i}`);
        await scene.stack.daemon.end('SIGKILL');
        await scene.stack.startDaemon();
        await scene.stack.publishInTheEnd('a/b', `after-${i}`);
      }
      await tab.untilHeard('after-2');
      await tab.until(() => window.heard.length >= 12);
      const expected = [0, 1, 2].flatMap((i) => [`before-${i}`, `after-${i}`]).flatMap((type) => [`${type} a/b`, `${type} a/b`]);
      assert.deepEqual(await tab.heard(), expected);
    });
  });
}

test('requests of another origin pass with the headers that tracers and frameworks add', async () => {
  const tab = await open({ topics: ['a'] });
  await tab.ready();
  const statuses = await tab.evaluate(async ([daemon, event]) => {
    const headers = {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-cache',
      'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'tracestate': 'a=b',
      'baggage': 'a=b',
      'sentry-trace': '1-2-0',
    };
    const ask = async (url, options) => (await fetch(url, { headers, ...options })).status;
    return [
      await ask(`${daemon}/poll`, { method: 'POST', body: '{"ep":["a"],"wait":0}' }),
      await ask(`${daemon}/poll?ep=a&wait=0`),
      await ask(event, { method: 'POST', body: '{"ep":["a"],"e":{"type":"x"}}' }),
    ];
  }, [scene.stack.url, `${scene.stack.eventUrl}?token=${scene.stack.publishToken}`]);
  assert.deepEqual(statuses, [200, 200, 200]);
});

describe('offline', () => {
  let line;
  before(async () => (line = await Line.start(scene.stack.port)));
  after(() => line?.stop());

  // WebKit's driver cannot take the network away. That of the others leaves WebSockets alone.
  for (const transport of browserName === 'webkit' ? [] : TRANSPORTS) {
    test(`by ${transport}: it is noticed; back online, nothing was lost`, async () => {
      const tab = await open({ url: line.url, topics: ['a'], transports: [transport] });
      await tab.ready();
      line.stand();
      await tab.tab.setOffline(true);
      await tab.untilState('offline');
      await scene.stack.publish('a', 'meanwhile');
      line.flow();
      await tab.tab.setOffline(false);
      await tab.untilHeard('meanwhile');
      assert.deepEqual(await tab.heard(), ['meanwhile a']);
      assert.equal((await scene.stack.untilTotal(1))['@TOTAL@'], 1);
    });
  }
});

describe('behind an nginx that buffers', () => {
  let nginx;
  let url;
  before(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}/notify/`;
    const folder = path.join(scene.stack.folder, 'buffering');
    fs.mkdirSync(folder);
    // Its own defaults: HTTP/1.0 to the daemon, no Upgrade, answers held back until a buffer is full.
    nginx = await startNginx(folder, port, {
      server: `
location = / { return 204; }
location /notify/ {
  proxy_pass ${scene.stack.url}/;
  proxy_ignore_headers X-Accel-Buffering;
}`,
    });
  });
  after(() => nginx?.end());

  test('events come all the same; the next page of the tab knows how', async (t) => {
    const tab = await open({ url, topics: ['a'] });
    await tab.ready();
    await scene.stack.publish('a', 'one');
    await tab.untilHeard('one');
    const first = await tab.evaluate(() => Math.round(performance.now() - window.began));
    t.diagnostic(`first event by ${await tab.get('transport')} ${first} ms after connect()`);
    const transport = await tab.get('transport');
    await tab.begin({ url, topics: ['a'], patience: 60_000 });
    await tab.ready();
    assert.equal(await tab.get('transport'), transport);
    const paths = await tab.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    assert.ok(paths.filter((name) => name.startsWith('http') && name.includes('/notify/')).length <= 2, paths.join());
  });
});

describe('a page of its time', () => {
  test('kept for "back" it has no connection; shown again it has what it missed', async () => {
    const tab = await open({ topics: ['a'] });
    await tab.ready();
    await tab.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    await scene.stack.untilTotal(0);
    await scene.stack.publish('a', 'meanwhile');
    await tab.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await tab.untilHeard('meanwhile');
    assert.deepEqual(await tab.heard(), ['meanwhile a']);
  });

  test('hidden for longer than hiddenTime it gives its connection up until it is shown', async () => {
    const tab = await open({ topics: ['a'], hiddenTime: 50 });
    await tab.ready();
    const show = (state) =>
      tab.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value: value === 'hidden', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, state);
    await show('hidden');
    await scene.stack.untilTotal(0);
    await scene.stack.publish('a', 'meanwhile');
    await show('visible');
    await tab.untilHeard('meanwhile');
    assert.deepEqual(await tab.heard(), ['meanwhile a']);
  });

  test('2,000 changes of page and network: one connection, nothing lost, nothing twice', async () => {
    const tab = await open({ topics: ['a'], hiddenTime: 2, backoff: 10, maxBackoff: 100 });
    await tab.ready();
    const storm = tab.evaluate(async () => {
      const show = (value) => {
        Object.defineProperty(document, 'hidden', { value: value === 'hidden', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      const acts = [
        () => dispatchEvent(new Event('online')),
        () => dispatchEvent(new Event('offline')),
        () => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })),
        () => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })),
        () => show('hidden'),
        () => show('visible'),
        () => window.client.abort(),
      ];
      for (let i = 0; i < 2000; i++) {
        acts[Math.floor(Math.random() * acts.length)]();
        if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      }
      show('visible');
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
    });
    const published = [];
    for (let i = 0; i < 200; i++) {
      await scene.stack.publish('a', `event-${i}`);
      published.push(`event-${i} a`);
    }
    await storm;
    await tab.untilHeard('event-199');
    assert.deepEqual(await tab.heard(), published);
    await scene.stack.untilTotal(1);
    assert.deepEqual(await tab.faults(), []);
  });
});

test('NoPollSubscriber by one script tag', async () => {
  const tab = await open({ topics: [] });
  await tab.evaluate((url) => {
    window.client.close();
    window.calls = [];
    const note = (name) => (value) => window.calls.push([name, value ?? null]);
    const data = JSON.stringify({ clid: 'page', ep: ['a'] });
    const request = { url, method: 'POST', data };
    window.subscriber = new window.NoPollSubscriber(request, note('parsed'), note('subscribed'), note('state'));
    window.subscriber.start();
  }, scene.stack.url);
  await tab.until(() => window.calls.some(([name]) => name === 'subscribed'));
  await scene.stack.publish('a', 'one');
  await tab.until(() => window.calls.some(([name, text]) => name === 'parsed' && text.includes('"one"')));
  const calls = await tab.evaluate(() => window.calls);
  assert.deepEqual(calls.slice(0, 3), [
    ['state', { value: 1, state: 'WAITING' }],
    ['state', { value: 2, state: 'CONNECTED' }],
    ['subscribed', null],
  ]);
  assert.equal(JSON.parse(calls[3][1]).e.type, 'connected');
  assert.deepEqual(Object.keys(JSON.parse(calls[4][1])), ['iat', 'id', 'ep', 'e']);
});
