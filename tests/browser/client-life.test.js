'use strict';

// Tabs that share a connection, through what phones and browsers do to pages: each hears each event once, in order.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { setScene } = require('./lib/scene');

const scene = setScene('life');
const { open } = scene;

const EVENTS = 30;

const transition = (tab, type) =>
  tab.evaluate((name) => void dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type);

const away = {
  'kept for "back"': [(tab) => transition(tab, 'pagehide'), (tab) => transition(tab, 'pageshow')],
  'hidden for longer than hiddenTime': [(tab) => tab.tab.hide(), (tab) => tab.tab.show()],
  'frozen': [(tab) => tab.tab.freeze(), (tab) => tab.tab.thaw()],
};

async function publish(from, to) {
  const types = [];
  for (let i = from; i < to; i++) {
    await scene.stack.publish(i % 2 ? 'a/odd' : 'a', `event-${i}`);
    types.push(`event-${i} ${i % 2 ? 'a/odd' : 'a'}`);
  }
  return types;
}

for (const transport of ['ws', 'frames', 'poll']) {
  describe(`two tabs by ${transport}`, () => {
    for (const [what, [leave, comeBack]] of Object.entries(away)) {
      for (const who of ['first', 'second']) {
        test(`the ${who} is ${what}, and comes back`, async () => {
          const options = { topics: ['a/#'], transports: [transport], hiddenTime: 20 };
          const first = await open(options);
          await first.ready();
          const second = await open(options);
          await second.ready();
          const [gone, other] = who === 'first' ? [first, second] : [second, first];
          const expected = await publish(0, EVENTS);
          await leave(gone);
          expected.push(...(await publish(EVENTS, 2 * EVENTS)));
          await other.untilHeard(`event-${2 * EVENTS - 1}`);
          await comeBack(gone);
          expected.push(...(await publish(2 * EVENTS, 3 * EVENTS)));
          await Promise.all([first, second].map((tab) => tab.untilHeard(`event-${3 * EVENTS - 1}`)));
          assert.deepEqual(await first.heard(), expected, 'first');
          assert.deepEqual(await second.heard(), expected, 'second');
          await gone.untilState('connected');
          await scene.stack.untilTotal(1);
        });
      }
    }

    test('a second tab that begins with a last id gets all since then', async () => {
      const first = await open({ topics: ['a/#'], transports: [transport] });
      await first.ready();
      const [, ...expected] = await publish(0, EVENTS);
    
      const lastId = await first.until(() => heard[0]?.id);
      const second = await open({ topics: ['a/#'], transports: [transport], lastId });
      expected.push(...(await publish(EVENTS, 2 * EVENTS)));
      await second.untilHeard(`event-${2 * EVENTS - 1}`);
      assert.deepEqual(await second.heard(), expected);
      await scene.stack.untilTotal(1);
    });

    test('a third tab hears nothing of before it was opened', async () => {
      const first = await open({ topics: ['a/#'], transports: [transport] });
      await first.ready();
      await publish(0, EVENTS);
      const second = await open({ topics: ['a/#', 'b'], transports: [transport] });
      await second.ready();
      const expected = await publish(EVENTS, 2 * EVENTS);
      await second.untilHeard(`event-${2 * EVENTS - 1}`);
      assert.deepEqual(await second.heard(), expected);
    });
  });
}

test('the leading tab stands still without being told: a tab that is shown notices, and hears all', async () => {
  const options = { topics: ['a/#'] };
  const before = "for (const type of ['freeze', 'resume']) document.addEventListener(type, (event) => event.stopImmediatePropagation(), true);";
  const first = await open(options, { before });
  await first.ready();
  const second = await open(options);
  await second.ready();
  const expected = await publish(0, EVENTS);
  await second.untilHeard(`event-${EVENTS - 1}`);
  await first.tab.freeze();
  expected.push(...(await publish(EVENTS, 2 * EVENTS)));
  await second.untilHeard(`event-${2 * EVENTS - 1}`);
  await second.evaluate(() => client.subscribe('b').ready);
  await first.tab.thaw();
  expected.push(...(await publish(2 * EVENTS, 3 * EVENTS)));
  await Promise.all([first, second].map((tab) => tab.untilHeard(`event-${3 * EVENTS - 1}`)));
  assert.deepEqual(await first.heard(), expected, 'first');
  assert.deepEqual(await second.heard(), expected, 'second');
  await scene.stack.untilTotal(1);
});

test('a topic that another tab may be about to drop counts as in force when that tab knows who wants it', async () => {
  const first = await open({ topics: ['a', 'shared'] });
  await first.ready();
  const second = await open({ topics: ['a'] });
  await second.ready();
  await second.evaluate(() => {
    window.isReady = false;
    return undefined;
  });
  // The tab that leads is busy, drops the topic, and hears what the other one wants only then.
  const busy = first.evaluate(() => {
    for (const end = performance.now() + 1500; performance.now() < end; );
    client.unsubscribe('shared');
  });
  await second.evaluate(() => {
    client.subscribe('shared').ready.then(() => (window.isReady = performance.now()));
    return undefined;
  });
  const isReadyEarly = await second.evaluate(() => isReady);
  await busy;
  assert.equal(isReadyEarly, false);
  await second.until(() => isReady);
  assert.equal(await second.get('state'), 'connected');
  for (let i = 0; i < 20; i++) await scene.stack.publish('shared', `s${i}`);
  await second.untilHeard('s19');
  assert.deepEqual(await second.heard(), Array.from({ length: 20 }, (_, i) => `s${i} shared`));
  await scene.stack.untilTotal(1);
});

test('a topic that one tab asks for in vain deafens no other', async () => {
  const first = await open({ topics: ['a'] });
  await first.ready();
  const second = await open({ topics: ['a'] });
  await second.ready();
  const refused = await second.evaluate(() =>
    client.subscribe('x'.repeat(5000)).ready.then(
      () => 'in force',
      ({ kind, message }) => `${kind}: ${message}`,
    ),
  );
  assert.equal(refused, 'refused: Topic is too long');
  assert.equal(await second.evaluate(() => client.subscribe('b').ready), true);
  await scene.stack.publish('a', 'one');
  await scene.stack.publish('b', 'two');
  await Promise.all([first.untilHeard('one'), second.untilHeard('two')]);
  assert.deepEqual(await second.heard(), ['one a', 'two b']);
  assert.deepEqual(await first.evaluate(() => errors), []);
});
