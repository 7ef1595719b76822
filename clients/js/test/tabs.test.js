// What tabs say to each other, when messages and locks come in an order that browsers leave open.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { joinTabs } from '../src/tabs.js';

const channels = new Set();
let messages; // not delivered yet: {from, to, data}

class Channel {
  constructor() {
    channels.add(this);
  }

  postMessage(data) {
    for (const to of channels) if (to !== this) messages.push({ from: this, to, data: structuredClone(data) });
  }

  close() {
    channels.delete(this);
  }
}

/** Each lock goes to who asked first, as soon as it is free. */
function createLocks() {
  const last = new Map();
  return {
    request(name, { signal }, hold) {
      const held = (last.get(name) ?? Promise.resolve()).then(() => (signal?.aborted ? undefined : hold()));
      last.set(name, held);
      return held;
    },
  };
}

/** Delivers what waits, of one tab alone when it is said which. */
function deliver(isWanted = () => true) {
  for (let at; (at = messages.findIndex(isWanted)) >= 0; ) {
    const [{ to, data }] = messages.splice(at, 1);
    if (channels.has(to)) to.onmessage({ data });
  }
}

async function settle() {
  for (let i = 0; i < 5; i++) {
    await pause(1);
    deliver();
  }
}

function join() {
  const tab = { told: [], leads: false };
  const before = new Set(channels);
  tab.tabs = joinTabs('all', {
    _topics: () => new Map(),
    _lead(leads) {
      tab.leads = leads;
      if (leads) tab.tabs._say('status', {});
    },
    _status: () => ({}),
    _told: (kind) => tab.told.push(kind),
    _lost() {},
    _change() {},
  });
  tab.channel = [...channels].find((channel) => !before.has(channel));
  return tab;
}

const real = Object.fromEntries(['BroadcastChannel', 'navigator', 'document'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
const fake = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
let all;

beforeEach(async () => {
  messages = [];
  fake('BroadcastChannel', Channel);
  fake('navigator', { locks: createLocks() });
  fake('document', { hidden: true });
  all = [];
  for (let i = 0; i < 3; i++) {
    all.push(join());
    await settle();
  }
  assert.deepEqual(all.map(({ leads }) => leads), [true, false, false]);
  for (const { told } of all) told.length = 0;
});

afterEach(() => {
  for (const { tabs } of all) tabs._leave();
  for (const [name, descriptor] of Object.entries(real)) {
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    else delete globalThis[name];
  }
});

test('a drop is heard also when the lock of who said it comes before its words', async () => {
  const [one, two, three] = all;
  one.tabs._say('frame', {});
  one.tabs._say('dropped');
  one.tabs._leave();
  await pause(5);
  assert.equal(two.leads, true);
  deliver(({ from, to }) => from === two.channel && to === three.channel);
  assert.deepEqual(three.told, ['status']);
  deliver(({ from, to }) => from === one.channel && to === three.channel);
  assert.deepEqual(three.told, ['status', 'dropped'], 'whatever else it said is of before');
  deliver(({ from }) => from === one.channel);
  assert.deepEqual(two.told, ['dropped']);
});

test('who leads by then says it to those who have not heard it', async () => {
  const [one, two, three] = all;
  one.tabs._say('dropped');
  one.tabs._leave();
  await pause(5);
  messages = messages.filter(({ from, to }) => from !== one.channel || to !== three.channel);
  deliver();
  assert.deepEqual([two.told, three.told], [['dropped'], ['status', 'dropped']]);
});
