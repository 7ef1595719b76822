'use strict';

// Tabs of one origin that share a connection, in a browser with the real daemon.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { browserName, setScene } = require('./lib/scene');

const TRANSPORTS = ['ws', 'frames', 'sse', 'poll'];
const TABS = 24; // a browser holds six connections to a host

const scene = setScene('tabs');
const { open } = scene;

/** The tab that leads: the one that holds the lock which the others wait for. */
async function findLeader(tabs) {
  const clientId = await tabs[0].evaluate(async () => {
    const { held } = await navigator.locks.query();
    return held.find(({ name }) => name.startsWith('esn ') && name.endsWith('/')).clientId;
  });
  for (const tab of tabs) {
    const own = await tab.evaluate(() =>
      navigator.locks.request(`who ${Math.random()}`, async ({ name }) => {
        const { held } = await navigator.locks.query();
        return held.find((lock) => lock.name === name).clientId;
      }),
    );
    if (own === clientId) return tab;
  }
  throw new Error('no tab leads');
}

for (const transport of TRANSPORTS) {
  describe(`${TABS} tabs of one origin by ${transport}`, () => {
    const topicsOf = (i) => ['all', `own/${i}`];
    let tabs;
    const openAll = async () => {
      tabs = await Promise.all(Array.from({ length: TABS }, (_, i) => open({ topics: topicsOf(i), transports: [transport] })));
      await Promise.all(tabs.map((tab) => tab.ready()));
    };
    const publishAll = async (type) => {
      await scene.stack.publishInTheEnd('all', type);
      for (let i = 0; i < TABS; i++) await scene.stack.publishInTheEnd(`own/${i}`, `${type}-own`);
    };
    const expected = (i, types) => types.flatMap((type) => [`${type} all`, `${type}-own own/${i}`]);

    test('they have one connection, and each hears its own topics, also when the leading one is closed', async () => {
      await openAll();
      await scene.stack.untilTotal(1);
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
      await scene.stack.untilTotal(1);
      for (const tab of left) assert.deepEqual(await tab.faults(), []);
    });
  });
}

test('a topic that was in force already when a second tab wanted it: what the leading tab did not pass on is fetched', async () => {
  const leader = await open({ topics: ['a', 'b'] });
  await leader.ready();
  const late = await open({ topics: ['a'] });
  await late.ready();
  await scene.stack.publish('b', 'before');
  await leader.untilHeard('before');
  await scene.stack.publish('a', 'all');
  await late.untilHeard('all');
  await late.evaluate(() => window.client.subscribe('b').ready);
  await leader.evaluate(() => (BroadcastChannel.prototype.postMessage = () => {}));
  await scene.stack.publish('b', 'kept back');
  await leader.untilHeard('kept back');
  await leader.close();
  await late.untilHeard('kept back');
  assert.deepEqual(await late.heard(), ['all a', 'kept back b']);
});

// Firefox and WebKit cannot be told to crash a tab, or to let it stand still.
if (browserName === 'chromium') {
  test('the leading tab crashes: another one takes over', async () => {
    const tabs = [await open({ topics: ['a'] }), await open({ topics: ['a', 'b'] }), await open({ topics: ['a', 'c'] })];
    await Promise.all(tabs.map((tab) => tab.ready()));
    const leader = await findLeader(tabs);
    await leader.tab.crash();
    await scene.stack.publish('a', 'meanwhile');
    const left = tabs.filter((tab) => tab !== leader);
    await Promise.all(left.map((tab) => tab.untilHeard('meanwhile')));
    for (const tab of left) assert.deepEqual(await tab.heard(), ['meanwhile a']);
    await scene.stack.untilTotal(1);
  });

  test('the leading tab stands still: a tab that is shown takes over; both hear all once', async () => {
    const tabs = [await open({ topics: ['a'] }), await open({ topics: ['a', 'b'] })];
    await Promise.all(tabs.map((tab) => tab.ready()));
    const leader = await findLeader(tabs);
    const other = tabs.find((tab) => tab !== leader);
    const connid = await other.get('connid');
    const { streams_begun: begun } = await scene.stack.look('/state');
    await leader.tab.halt();
    await scene.stack.publish('a', 'frozen');
    await other.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await other.untilHeard('frozen');
    assert.equal((await scene.stack.look('/state')).streams_begun, begun + 1);
    assert.equal(await other.get('connid'), connid);
    await leader.tab.goOn();
    await scene.stack.publish('a', 'thawed');
    await Promise.all(tabs.map((tab) => tab.untilHeard('thawed')));
    for (const tab of tabs) assert.deepEqual(await tab.heard(), ['frozen a', 'thawed a']);
    await scene.stack.untilTotal(1);
  });
}

test('topics, presence and whispers of a second tab', async () => {
  const first = await open({ topics: ['a'], clid: 'both' });
  await first.ready();
  const count = (tab) =>
    tab.evaluate(() => {
      window.counts = [];
      window.client.presence('both', (n) => window.counts.push(n));
    });
  await count(first);
  await first.until(() => window.counts.length === 1);
  const second = await open({ topics: ['a', 'b'], clid: 'both' });
  await second.ready();
  await count(second);
  await second.until(() => window.counts.length === 1);
  for (const tab of [first, second]) assert.deepEqual(await tab.evaluate(() => window.counts), [1]);
  await second.evaluate(() => {
    client.whisper('answer', (connid) => (window.asked = connid)).then(({ detail }) => (window.answer = detail));
  });
  const connid = await second.until(() => window.asked);
  await scene.stack.post({ ep: [{ topic: 'b', whisper: connid }], e: { type: 'answer', detail: 42 } });
  assert.equal(await second.until(() => window.answer), 42);
  await second.evaluate(() => window.client.unsubscribe('a'));
  await scene.stack.publish('a', 'first only');
  await scene.stack.publish('b', 'second only');
  await Promise.all([first.untilHeard('first only'), second.untilHeard('second only')]);
  assert.equal((await second.heard()).includes('first only a'), false);
  assert.equal((await first.heard()).includes('second only b'), false);
});

for (const transport of TRANSPORTS) {
  test(`last values by ${transport}: each tab hears each once, whoever asked for the topic first`, async () => {
    const at = (name) => `${transport}/${name}`;
    const keep = (name, detail) => scene.stack.post({ ep: [{ topic: at(name), keep: true }], e: { type: 'value', detail } });
    const openOne = (...names) => open({ topics: [...names.map(at), 'end'], transports: [transport] });
    const values = (tab) =>
      tab.evaluate(() => heard.filter(({ type }) => type === 'value').map(({ kept, detail }) => (kept ? '=' : '') + detail));
    const untilValue = (tab, detail) => tab.until((wanted) => heard.some((event) => event.detail === wanted), detail);
    const end = async (type, ...tabs) => {
      await scene.stack.publish('end', type);
      await Promise.all(tabs.map((tab) => tab.untilHeard(type)));
    };

    await keep('a', 'a1');
    await keep('b', 'b1');
    const first = await openOne('a');
    await untilValue(first, 'a1');
    const second = await openOne('a');
    await untilValue(second, 'a1');
    await second.evaluate((topic) => client.subscribe(topic).ready, at('b'));
    await untilValue(second, 'b1');
    await end('one', first, second);
    assert.deepEqual([await values(first), await values(second)], [['=a1'], ['=a1', '=b1']]);
    await first.evaluate((topic) => client.subscribe(topic).ready, at('b'));
    await untilValue(first, 'b1');
    await keep('b', 'b2');
    const third = await openOne('a', 'b');
    await untilValue(third, 'b2');
    await end('two', first, second, third);
    assert.deepEqual(await values(third), ['=a1', '=b2']);
    await first.close();
    await keep('a', 'a2');
    await end('three', second, third);
    assert.deepEqual(await values(second), ['=a1', '=b1', 'b2', 'a2']);
    assert.deepEqual(await values(third), ['=a1', '=b2', 'a2']);
    await scene.stack.untilTotal(1);
  });
}

test('other users and other names do not share', async () => {
  const tabs = [
    await open({ topics: ['a'], share: 'ana' }),
    await open({ topics: ['a'], share: 'luis' }),
    await open({ topics: ['a'], share: 'luis', clid: 'x' }),
    await open({ topics: ['a'], share: false }),
  ];
  await Promise.all(tabs.map((tab) => tab.ready()));
  await scene.stack.untilTotal(4);
});

const without = {
  'Web Locks': () => delete Navigator.prototype.locks,
  'BroadcastChannel': () => delete window.BroadcastChannel,
  'the right to use channels': () =>
    (window.BroadcastChannel = function () {
      throw new DOMException('', 'SecurityError');
    }),
  'the right to use locks': () => (LockManager.prototype.request = () => Promise.reject(new DOMException('', 'SecurityError'))),
};

for (const [missing, before] of Object.entries(without)) {
  test(`a browser without ${missing}: each tab has its own connection`, async () => {
    const tabs = [];
    for (let i = 0; i < 3; i++) {
      tabs.push(await open({ topics: ['a'] }, { before: `(${before})()` }));
    }
    await Promise.all(tabs.map((tab) => tab.ready()));
    await scene.stack.untilTotal(3);
    await scene.stack.publish('a', 'one');
    await Promise.all(tabs.map((tab) => tab.untilHeard('one')));
    for (const tab of tabs) assert.deepEqual(await tab.faults(), []);
  });
}
