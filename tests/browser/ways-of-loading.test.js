'use strict';

// The client as pages load it, in each browser: the files of dist/ by script tag and as a module, under a policy for its content,
// by each transport, on a slow line.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Line } = require('../lib/line');
const { launch } = require('./lib/browsers');
const { ClientTab } = require('./lib/client-tab');
const { browserName, setScene } = require('./lib/scene');
const { builds } = require('./lib/site');

const TRANSPORTS = ['ws', 'frames', 'sse', 'poll'];

const scene = setScene('loading', { config: { log: { path: 'recent.log' } } });

/** One event, and one more after the daemon was killed. */
async function hearsAll(tab) {
  await tab.ready();
  await scene.stack.publish('a', 'one');
  await tab.untilHeard('one');
  await scene.stack.daemon.end('SIGKILL');
  await scene.stack.startDaemon();
  await scene.stack.publishInTheEnd('a', 'two');
  await tab.untilHeard('two');
  assert.deepEqual(await tab.heard(), ['one a', 'two a']);
}

for (const build of builds) {
  describe(`${build} in ${browserName}`, () => {
    for (const transport of TRANSPORTS) {
      test(`by ${transport}: events, before and after a break`, async () => {
        const tab = await scene.open({ topics: ['a'], transports: [transport] }, { build });
        await hearsAll(tab);
        assert.equal(await tab.get('transport'), transport);
        assert.deepEqual(await tab.faults(), []);
      });
    }
  });
}

describe(`under a policy for its content in ${browserName}`, () => {
  const policyOf = (sources) => `default-src 'none'; img-src 'self'; script-src 'self'; connect-src 'self' ${sources}`;

  test('that names the broker for HTTP and WebSocket: the first transport', async () => {
    const policy = policyOf(`${scene.url} ${scene.url.replace('http', 'ws')}`);
    const tab = await scene.open({ topics: ['a'] }, { policy });
    await hearsAll(tab);
    assert.equal(await tab.get('transport'), 'ws');
    assert.deepEqual(await tab.faults(), []);
  });

  test('that names the broker for HTTP alone: the next transport', async () => {
    const tab = await scene.open({ topics: ['a'] }, { policy: policyOf(scene.url) });
    await hearsAll(tab);
    // Firefox and WebKit take the address of HTTP for one of WebSockets too, as the standard of today says.
    assert.ok(['ws', 'frames'].includes(await tab.get('transport')));
  });

  test('that names no address of WebSockets and others of HTTP: the next transport', async () => {
    const tab = await scene.open({ topics: ['a'] }, { policy: policyOf('http:') });
    await hearsAll(tab);
  });
});

describe(`where a page may do little in ${browserName}`, () => {
  test('without an origin, as in a sandbox, with no storage, locks or channels: a connection of its own', async () => {
    const tab = await scene.open({ topics: ['a'] }, { policy: 'sandbox allow-scripts' });
    await hearsAll(tab);
    assert.equal(await tab.evaluate(() => origin), 'null');
    assert.deepEqual(await tab.faults(), []);
  });

  if (browserName === 'firefox') {
    test('where the user lets the site keep nothing: a connection of its own', async () => {
      const strict = await launch(browserName, { prefs: { 'network.cookie.cookieBehavior': 2 } });
      try {
        const profile = await strict.newProfile();
        const tab = await ClientTab.open(profile, scene.site, { url: scene.url, topics: ['a'] });
        assert.match(await tab.evaluate(() => navigator.locks.request('a', () => {}).catch(String)), /SecurityError/);
        await hearsAll(tab);
        assert.deepEqual(await tab.faults(), []);
      } finally {
        await strict.close();
      }
    });
  }

  test('in a worker', async () => {
    const tab = await scene.open({ topics: [] });
    await tab.evaluate((url) => {
      const script = `importScripts('${location.origin}/es-web-notify.js');
        const client = EsWebNotify.connect({ url: '${url}', topics: ['a'] });
        client.on('@state', (state) => postMessage(state));
        client.on('*', ({ type }) => postMessage(type));`;
      window.said = [];
      window.worker = new Worker(URL.createObjectURL(new Blob([script])));
      worker.onmessage = ({ data }) => said.push(data);
    }, scene.url);
    await tab.until(() => said.includes('connected'));
    await scene.stack.publish('a', 'one');
    await tab.until(() => said.includes('one'));
  });
});

describe(`on a slow line in ${browserName}`, () => {
  let line;
  before(async () => (line = await Line.start(scene.stack.port)));
  after(() => line?.stop());

  // The slowest in one browser, since it takes long.
  for (const delay of browserName === 'chromium' ? [200, 1000] : [200]) {
    for (const transport of TRANSPORTS) {
      test(`${2 * delay} ms there and back by ${transport}: each event, before and after a break`, async () => {
        line.delay = delay;
        const tab = await scene.open({ url: line.url, topics: ['a'], transports: [transport], backoff: 50 });
        await tab.ready();
        await scene.stack.publish('a', 'one');
        await tab.untilHeard('one');
        line.cut();
        await scene.stack.publish('a', 'two');
        await tab.untilHeard('two');
        assert.deepEqual(await tab.heard(), ['one a', 'two a']);
        line.delay = 0;
      });
    }
  }

  test('an answer is lost while it comes back: the connection keeps its number, and what was whispered to it', async () => {
    const tab = await scene.open({ url: line.url, topics: ['a'], transports: ['frames'], backoff: 50, maxBackoff: 200 });
    await tab.ready();
    const connid = await tab.get('connid');
    const lost = line.loseAnswer(/^POST \/ /);
    line.cut();
    await scene.stack.post({ ep: [{ topic: 'a', whisper: connid }], e: { type: 'whispered' } });
    await lost;
    await tab.ready();
    await scene.stack.publish('a', 'last');
    await tab.untilHeard('last');
    assert.equal(await tab.get('connid'), connid);
    assert.deepEqual(await tab.heard(), ['whispered a', 'last a']);
  });
});
