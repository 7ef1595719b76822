'use strict';

// What a browser does to pages: hidden, frozen, kept for "back", several that share. Each hears all, once, in order.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { browserName, setScene } = require('./lib/scene');

const TRANSPORTS = ['ws', 'frames', 'sse', 'poll'];

const scene = setScene('life', { config: { log: { path: 'recent.log' } } });
const { open } = scene;

// Firefox keeps no page that has a lock or a WebSocket when it is left: there it begins anew.
const keepsPages = browserName !== 'firefox';

const expected = (...types) => types.map((type) => `${type} a`);

/** Two tabs: one that has the connection, one that hears through it. */
async function openTwo(options) {
  const first = await open({ topics: ['a'], ...options });
  await first.ready();
  const second = await open({ topics: ['a'], ...options });
  await second.ready();
  await scene.stack.untilTotal(1);
  return [first, second];
}

/** Publishes a last event, and says what each has heard. */
async function heardBy(...tabs) {
  await scene.stack.publish('a', 'last');
  for (const tab of tabs) await tab.untilHeard('last');
  return Promise.all(tabs.map((tab) => tab.heard()));
}

for (const transport of TRANSPORTS) {
  describe(`alone in ${browserName} by ${transport}`, () => {
    test('frozen and thawed, it has what it missed', async () => {
      const tab = await open({ topics: ['a'], transports: [transport] });
      await tab.ready();
      await tab.tab.freeze();
      for (const type of ['one', 'two']) await scene.stack.publish('a', type);
      await tab.tab.thaw();
      assert.deepEqual(await heardBy(tab), [expected('one', 'two', 'last')]);
    });

    if (keepsPages) {
      test('left and come back to by "back", it has what it missed', async () => {
        const tab = await open({ topics: ['a'], transports: [transport] });
        await tab.ready();
        await tab.tab.goto(scene.site.blank);
        await scene.stack.untilTotal(0);
        await scene.stack.publish('a', 'one');
        await tab.tab.back();
        assert.equal(await tab.evaluate(() => window.restored), 1, 'the browser has kept the page');
        assert.deepEqual(await heardBy(tab), [expected('one', 'last')]);
      });
    }
  });
}

describe(`two tabs in ${browserName}`, () => {
  for (const [name, which] of [['the first, which leads', 0], ['the second, which follows', 1]]) {
    if (keepsPages) {
      test(`${name}, is kept for "back": both hear all once`, async () => {
        const tabs = await openTwo();
        await tabs[which].tab.goto(scene.site.blank);
        await scene.stack.publish('a', 'one');
        await tabs[1 - which].untilHeard('one');
        await scene.stack.publish('a', 'two');
        await tabs[which].tab.back();
        assert.deepEqual(await heardBy(...tabs), [expected('one', 'two', 'last'), expected('one', 'two', 'last')]);
      });
    }

    test(`${name}, is frozen: the other hears all meanwhile, both hear all once`, async () => {
      const tabs = await openTwo({ silence: 3000 });
      await tabs[which].tab.freeze();
      for (const type of ['one', 'two']) await scene.stack.publish('a', type);
      await tabs[1 - which].untilHeard('two');
      await tabs[which].tab.thaw();
      assert.deepEqual(await heardBy(...tabs), [expected('one', 'two', 'last'), expected('one', 'two', 'last')]);
      await scene.stack.untilTotal(1);
    });

    test(`${name}, is hidden for longer than hiddenTime: both hear all once`, async () => {
      const tabs = await openTwo({ hiddenTime: 50 });
      await tabs[which].tab.hide();
      await tabs[which].untilState('closed');
      await scene.stack.publish('a', 'one');
      await tabs[1 - which].untilHeard('one');
      await tabs[which].tab.show();
      assert.deepEqual(await heardBy(...tabs), [expected('one', 'last'), expected('one', 'last')]);
    });
  }

  test('the first stands still while it is shown, another takes over, it goes on: both hear all once', async () => {
    const tabs = await openTwo({ silence: 3000 });
    await tabs[0].tab.block();
    await scene.stack.publish('a', 'one');
    await tabs[1].untilHeard('one');
    tabs[0].tab.unblock();
    assert.deepEqual(await heardBy(...tabs), [expected('one', 'last'), expected('one', 'last')]);
    for (const tab of tabs) await tab.untilState('connected');
    await scene.stack.untilTotal(1);
  });

  test('the second begins with lastId: it hears what came after that', async () => {
    const first = await open({ topics: ['a'] });
    await first.ready();
    await scene.stack.publish('a', 'one');
    await first.untilHeard('one');
    const lastId = await first.get('lastId');
    await scene.stack.publish('a', 'two');
    await first.untilHeard('two');
    const second = await open({ topics: ['a'], lastId });
    await second.ready();
    assert.deepEqual(await heardBy(first, second), [expected('one', 'two', 'last'), expected('two', 'last')]);
  });
});
