'use strict';

// The JavaScript client in Chromium, with the real daemon.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { Stack } = require('../system/lib/stack');
const { until } = require('../system/lib/wait');
const { Tab, launch, servePages } = require('./lib/pages');

const TRANSPORTS = ['ws', 'frames', 'sse', 'poll'];
const TABS = 24; // a browser holds six connections to a host

let stack;
let pages;
let browser;
let context;

before(async () => {
  stack = await Stack.start('client', { handlers: 1, config: { log: { path: 'recent.log' } } });
  pages = await servePages();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  pages?.stop();
  await stack?.stop();
});
afterEach(async () => {
  await context?.close();
  await stack.untilTotal(0);
});

const open = async (options, more) => {
  context ??= await browser.newContext();
  return Tab.open(context, pages.url, { url: stack.url, ...options }, more);
};
afterEach(() => (context = undefined));

for (const transport of TRANSPORTS) {
  describe(`in Chromium by ${transport}`, () => {
    test('events, a whisper, presence, topics on the run', async () => {
      const tab = await open({ topics: ['a/#'], clid: 'tab', transports: [transport] });
      assert.equal(await tab.ready(), true);
      assert.equal(await tab.get('transport'), transport);
      await stack.publish('a/b', 'one', { text: 'é 😀' });
      await tab.untilHeard('one');
      const connid = await tab.get('connid');
      await stack.post({ ep: [{ topic: 'a/w', whisper: connid }], e: { type: 'whispered' } });
      await tab.untilHeard('whispered');
      await tab.page.evaluate(async () => {
        window.counts = [];
        window.client.presence('tab', (count) => window.counts.push(count));
        await window.client.subscribe('c');
      });
      await tab.page.waitForFunction(() => window.counts[0] === 1);
      await stack.publish('c', 'two');
      await tab.untilHeard('two');
      assert.deepEqual(await tab.heard(), ['one a/b', 'whispered a/w', 'available @CONNECTION@/tab', 'two c']);
      assert.deepEqual(tab.faults, []);
    });

    test('the daemon is killed: what was published meanwhile is heard once', async () => {
      const tab = await open({ topics: ['a/#', 'a/b'], transports: [transport] });
      await tab.ready();
      for (let i = 0; i < 3; i++) {
        await stack.publish('a/b', `before-${i}`);
        await stack.daemon.end('SIGKILL');
        await stack.startDaemon();
        await stack.publishInTheEnd('a/b', `after-${i}`);
      }
      await tab.untilHeard('after-2');
      await tab.page.waitForFunction(() => window.heard.length >= 12);
      const expected = [0, 1, 2].flatMap((i) => [`before-${i}`, `after-${i}`]).flatMap((type) => [`${type} a/b`, `${type} a/b`]);
      assert.deepEqual(await tab.heard(), expected);
    });
  });
}

describe('offline', () => {
  for (const transport of TRANSPORTS) {
    test(`by ${transport}: it is noticed; back online, nothing was lost`, async () => {
      const tab = await open({ topics: ['a'], transports: [transport] });
      await tab.ready();
      await context.setOffline(true);
      await tab.untilState('offline');
      await stack.publish('a', 'meanwhile');
      await context.setOffline(false);
      await tab.untilHeard('meanwhile');
      assert.deepEqual(await tab.heard(), ['meanwhile a']);
      assert.equal((await stack.untilTotal(1))['@TOTAL@'], 1);
    });
  }
});

for (const transport of TRANSPORTS) {
  describe(`${TABS} tabs of one origin by ${transport}`, () => {
    const topicsOf = (i) => ['all', `own/${i}`];
    let tabs;
    const openAll = async () => {
      tabs = await Promise.all(Array.from({ length: TABS }, (_, i) => open({ topics: topicsOf(i), transports: [transport] })));
      await Promise.all(tabs.map((tab) => tab.ready()));
    };
    const publishAll = async (type) => {
      await stack.publishInTheEnd('all', type);
      for (let i = 0; i < TABS; i++) await stack.publishInTheEnd(`own/${i}`, `${type}-own`);
    };
    const expected = (i, types) => types.flatMap((type) => [`${type} all`, `${type}-own own/${i}`]);

    test('they have one connection, and each hears its own topics, also when the leading one is closed', async () => {
      context = await browser.newContext();
      await openAll();
      await stack.untilTotal(1);
      const connids = new Set(await Promise.all(tabs.map((tab) => tab.get('connid'))));
      await publishAll('one');
      await Promise.all(tabs.map((tab) => tab.untilHeard('one-own')));
      for (const [i, tab] of tabs.entries()) assert.deepEqual(await tab.heard(), expected(i, ['one']), `tab ${i}`);
      assert.equal(connids.size, 1);

      // Each leader is closed in its turn, while events go on.
      const closed = [];
      for (let i = 0; i < 3; i++) {
        const leader = await findLeader(tabs.filter((tab) => !closed.includes(tab)));
        closed.push(leader);
        const publishing = publishAll(`close-${i}`);
        await leader.close();
        await publishing;
      }
      await publishAll('end');
      const left = tabs.filter((tab) => !closed.includes(tab));
      await Promise.all(left.map((tab) => tab.untilHeard('end-own')));
      for (const tab of left) {
        const i = tabs.indexOf(tab);
        assert.deepEqual(await tab.heard(), expected(i, ['one', 'close-0', 'close-1', 'close-2', 'end']), `tab ${i}`);
      }
      await stack.untilTotal(1);
      for (const tab of tabs) assert.deepEqual(tab.faults, []);
    });

    /** The tab that has the lock: the one that the other locks wait for. */
    async function findLeader(some) {
      const [first] = some;
      const clientId = await first.page.evaluate(async () => {
        const { held } = await navigator.locks.query();
        return held.find(({ name }) => name.startsWith('esn ') && !/[0-9a-f-]{36}$/.test(name)).clientId;
      });
      for (const tab of some) {
        const own = await tab.page.evaluate(async () => {
          const name = `who ${Math.random()}`;
          return navigator.locks.request(name, async () => {
            const { held } = await navigator.locks.query();
            return held.find((lock) => lock.name === name).clientId;
          });
        });
        if (own === clientId) return tab;
      }
      throw new Error('no tab has the lock');
    }
  });
}
