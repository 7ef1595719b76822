'use strict';

// The browser's own EventSource, without our client. Any answer but 200 closes it for good, and so does one that its page may
// not read: what answers in the place of a daemon that is away or full has to be an event stream for all. Where nobody answers
// at all, since no web server is before the daemon, Firefox gives up, and nothing can be done for it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');
const { until } = require('../system/lib/wait');
const { Stack } = require('../system/lib/stack');
const { BehindWebServer } = require('../system/lib/webservers');
const { browserName, setScene } = require('./lib/scene');

const FANOUT = { retry_time: '400ms', stop_spread: '0s', keep_alive: '1s' };
const CONFIG = { fanout: FANOUT, log: { path: 'recent.log', sync: 'always' } };

const behind = (web) => () => BehindWebServer.start(web, { config: CONFIG });

const WAYS = {
  'at the daemon itself': { start: (label) => Stack.start(label, { handlers: 1, config: CONFIG }), isAnswered: false },
  'behind nginx': { start: behind('nginx'), isAnswered: true },
  'behind Apache with mod_fcgid': { start: behind('Apache with mod_fcgid'), isAnswered: true },
  'sent to the daemon by Apache with mod_proxy_fcgi': { start: behind('Apache with mod_proxy_fcgi'), isAnswered: false },
};

/** What pages take where they want headers with their EventSource; it says in the query what it had last. */
const POLYFILL = fs.readFileSync(require.resolve('event-source-polyfill'), 'utf8');

describe('event-source-polyfill', () => {
  const scene = setScene('polyfill', { start: behind('nginx') });

  test('has what it missed when its stream was ended and when the daemon was away', async () => {
    const tab = await scene.profile.openTab();
    await tab.goto(scene.site.blank);
    await tab.evaluate(([code, url]) => {
      (0, eval)(code);
      Object.assign(window, { heard: [], connected: 0, source: new EventSourcePolyfill(url, { headers: { 'X-Page': 'shop' } }) });
      source.addEventListener('connected', () => connected++);
      source.onmessage = ({ data }) => heard.push(JSON.parse(data).e.type);
    }, [POLYFILL, new URL('sse?ep=a', scene.url.replace(/\/?$/, '/')).href]);
    await tab.until(() => connected === 1);
    await scene.stack.publish('a', 'one');
    await tab.until(() => heard.length === 1);
    scene.stack.daemon.signal('SIGUSR1');
    await scene.stack.publishInTheEnd('a', 'two');
    await tab.until(() => heard.length === 2);
    await scene.stack.daemon.end('SIGKILL');
    await scene.stack.startDaemon();
    await scene.stack.publishInTheEnd('a', 'three');
    await tab.until(() => heard.length === 3);
    assert.deepEqual(await tab.evaluate(() => heard), ['one', 'two', 'three']);
    assert.ok(await tab.evaluate(() => connected) >= 3);
    await tab.evaluate(() => source.close());
  });
});

for (const [way, { start, isAnswered }] of Object.entries(WAYS)) {
  describe(`an EventSource of ${browserName} ${way}`, () => {
    const scene = setScene('source', { start });

    /** A page of another origin. */
    async function open() {
      const tab = await scene.profile.openTab();
      await tab.goto(scene.site.blank);
      await tab.evaluate((url) => {
        Object.assign(window, { heard: [], connected: 0, breaks: 0, source: new EventSource(url) });
        source.addEventListener('connected', () => connected++);
        source.onmessage = ({ data }) => heard.push(JSON.parse(data).e.type);
        source.onerror = () => breaks++;
      }, new URL('sse?ep=a', scene.url.replace(/\/?$/, '/')));
      return tab;
    }

    /** It was there `count` times in vain, and goes on. */
    async function untilInVain(tab, count) {
      await tab.until((enough) => breaks >= enough || source.readyState === EventSource.CLOSED, count);
      assert.equal(await tab.evaluate(() => source.readyState), 0, `closed for good after ${await tab.evaluate(() => breaks)} breaks`);
    }

    async function openAndHear() {
      const tab = await open();
      await tab.until(() => connected === 1);
      await scene.stack.publish('a', 'one');
      await tab.until(() => heard.length === 1);
      return tab;
    }

    async function hearsTheRest(tab) {
      await scene.stack.publishInTheEnd('a', 'two');
      await tab.until(() => heard.length === 2);
      assert.deepEqual(await tab.evaluate(() => heard), ['one', 'two']);
      await tab.evaluate(() => source.close());
    }

    async function startWith(fanout) {
      scene.stack.writeConfig({ fanout });
      await scene.stack.daemon.end();
      await scene.stack.startDaemon();
    }

    test('comes back when its stream was ended, and has what it missed', async () => {
      const tab = await openAndHear();
      scene.stack.daemon.signal('SIGUSR1');
      await untilInVain(tab, 1);
      await hearsTheRest(tab);
    });

    if (isAnswered) {
      test('comes back when the daemon was away, and has what it missed', async () => {
        const tab = await openAndHear();
        await scene.stack.daemon.end('SIGKILL');
        await untilInVain(tab, 2); // the break is the first
        await scene.stack.startDaemon();
        await hearsTheRest(tab);
      });
    }

    test('comes back when the daemon was full', async (t) => {
      t.after(() => startWith(FANOUT));
      await startWith({ ...FANOUT, max_connections: '1' });
      const holder = await until('the one place is taken', () => scene.stack.subscribe(['a']));
      const tab = await open();
      await untilInVain(tab, 1);
      holder.close();
      await tab.until(() => connected === 1);
      await scene.stack.publish('a', 'one');
      await tab.until(() => heard.length === 1);
      await tab.evaluate(() => source.close());
    });
  });
}
