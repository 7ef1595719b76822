// One connection at a time, whatever happens. Counted on both sides: by the client's own calls never a second one before
// the first is over; at the server, which learns of an end a moment later, one in the end.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Broker } from './lib/broker.js';
import { ALL, listen } from './lib/listener.js';
import { pause, until } from './lib/wait.js';

const ACTS = 1500;

// What page.js listens to, so that a page's events can be made here.
const page = Object.assign(new EventTarget(), { hidden: false });
const window = new EventTarget();

const fire = {
  online: () => window.dispatchEvent(new Event('online')),
  offline: () => window.dispatchEvent(new Event('offline')),
  hide() {
    page.hidden = true;
    page.dispatchEvent(new Event('visibilitychange'));
  },
  show() {
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
  },
  leave: () => window.dispatchEvent(new Event('pagehide')),
  comeBack: () => window.dispatchEvent(new Event('pageshow')),
};

before(() => Object.assign(globalThis, { document: page, addEventListener: window.addEventListener.bind(window) }));
after(() => {
  delete globalThis.document;
  delete globalThis.addEventListener;
});

/** Numbers that are the same in each run. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * sides);
  };
}

for (const transports of [...ALL.map((name) => [name]), ALL]) {
  describe(`a storm by ${transports}`, () => {
    let broker;
    let listener;
    before(async () => (broker = await Broker.start()));
    after(() => broker.close());
    afterEach(async () => {
      await listener.client.close();
      await until('all are gone', () => broker.open.size === 0);
    });

    for (const seed of [1, 2, 3]) test(`page and network change ${ACTS} times, the server breaks connections, topics come and go (${seed})`, async () => {
      listener = listen({ url: broker.url, transports, topics: ['a/#'], hiddenTime: 3, backoff: 5, maxBackoff: 30 });
      await listener.client.ready();
      const roll = dice(seed);
      let published = 0;
      const acts = [
        ...Object.values(fire),
        () => broker.breakAll(),
        () => listener.client.abort(),
        () => void listener.client.subscribe(`b/${roll(3)}`),
        () => listener.client.unsubscribe(`b/${roll(3)}`),
        () => broker.publish('a/x', `event-${++published}`),
        () => pause(roll(8)),
      ];
      for (let i = 0; i < ACTS; i++) await acts[roll(acts.length)]();
      fire.show();
      fire.comeBack();
      await listener.client.ready();
      await until('it is held', () => broker.open.size === 1);
      broker.publish('a/x', 'last');
      await listener.heard('last');
      assert.equal(listener.meter.peak, 1);
      assert.deepEqual(
        listener.types(),
        [...Array.from({ length: published }, (_, i) => `event-${i + 1}`), 'last'],
        'nothing lost, nothing twice',
      );
      await until('there is one in the end', () => broker.open.size === 1);
    });
  });
}

test('close() is the end, also when it comes between two connections', async () => {
  const broker = await Broker.start();
  for (const wait of [0, 1, 5, 20]) {
    const listener = listen({ url: broker.url, topics: ['a'] });
    await pause(wait);
    broker.breakAll();
    await listener.client.close();
    const { total } = listener.meter;
    window.dispatchEvent(new Event('pageshow'));
    await pause(30); // for what must not come
    assert.equal(listener.client.state, 'closed');
    assert.equal(listener.meter.total, total);
    assert.equal(await listener.client.ready(), false);
  }
  await until('all are gone', () => broker.open.size === 0);
  await broker.close();
});
