'use strict';

// Who watches client ids by patterns and was away is told who came and went meanwhile, on every transport.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, beforeEach, test } = require('node:test');
const { queryOf } = require('./lib/every-transport');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { Stack } = require('./lib/stack');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { until, within } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const MOST = 8;
const WATCHED = ['@CONNECTION@/+', 'a'];

let stack;
before(async () => {
  stack = new Stack('presence-past', { handlers: 1, lines: true, config: { fanout: { max_presence_missed: MOST, poll_gap: '0ms' } } });
  stack.config.log = { path: path.join(stack.folder, 'log') };
  await stack.start();
});
after(() => stack?.stop());
beforeEach(() => stack.untilTotal(0));

async function poll(body) {
  const answer = await request(`${stack.url}/poll`, { method: 'POST', agent: false, body: JSON.stringify({ ep: WATCHED, ...body }) });
  assert.equal(answer.status, 200, answer.text);
  const { events, id } = answer.json;
  const { connid, secret } = events[0].e.detail;
  return { frames: events.slice(1), past: { last_id: id, connid, secret } };
}

/** Streams that come back: each gives `until`, the frames up to an event of that type, and `close`. */
const COMING_BACK = {
  async frames(last_id) {
    const stream = await stack.subscribe({ ep: WATCHED, clid: 'watcher', last_id });
    return { until: async (type) => (await stream.takeUntil(type)).map(({ json }) => json), close: () => stream.close() };
  },
  async sse(last_id) {
    const stream = await EventStream.open(`${stack.url}/sse?${queryOf({ ep: WATCHED, clid: 'watcher', last_id })}`);
    return { until: async (type) => (await stream.takeUntil(type)).map(({ json }) => json), close: async () => stream.close() };
  },
  async websocket(last_id) {
    const peer = await WebSocketPeer.open(stack.port, `/ws?${queryOf({ ep: WATCHED, clid: 'watcher', last_id })}`);
    return { until: (type) => takeUntil(peer, type), close: async () => peer.destroy() };
  },
  async 'websocket, with its first topics'(last_id) {
    const peer = await WebSocketPeer.open(stack.port, '/ws?clid=watcher');
    await peer.say({ subscribe: WATCHED, last_id });
    return { until: (type) => takeUntil(peer, type), close: async () => peer.destroy() };
  },
  async lines(last_id) {
    const peer = await LinePeer.open(stack.linesPort, { ep: WATCHED, clid: 'watcher', last_id });
    return { until: (type) => takeUntil(peer, type), close: async () => peer.destroy() };
  },
  async poll(last_id) {
    let past = { last_id };
    const frames = [];
    const ask = async (type) => {
      while (!frames.some(({ e }) => e.type === type)) {
        const answer = await poll({ clid: 'watcher', ...past });
        past = answer.past;
        frames.push(...answer.frames);
      }
      return frames;
    };
    return { until: (type) => within(`an event of type ${type}`, ask(type)), close: async () => {} };
  },
};

/** What of presence is in these frames: `told`, and then names with their counts. */
const presenceOf = (frames) =>
  frames
    .filter(({ ep, e }) => ep.emitted.startsWith('@CONNECTION@/') || e.type === 'presence')
    .map(({ ep, e }) => (e.type === 'presence' ? e.detail.told : [e.type, ep.emitted.slice(13), e.detail.clid_instances]));

const page = (clid) => stack.subscribe({ ep: ['x'], clid });

async function leaves(client, clid) {
  await client.close();
  await until(`${clid} has gone`, async () => (await stack.look(`/connections?clid=${clid}`)) === 0);
}

/** What it is told that comes back with this id now. */
async function missed(comeBack, id) {
  const watcher = await comeBack(id);
  await stack.publish('a', 'end');
  const frames = await watcher.until('end');
  await watcher.close();
  return presenceOf(frames);
}

for (const [name, comeBack] of Object.entries(COMING_BACK)) {
  test(`${name}: who came and who went, and nobody else`, async () => {
    const stays = await page('stays');
    const bruno = await page('bruno');
    const { id } = await stack.publish('a', 'heard');
    const ana = await page('ana');
    await leaves(bruno, 'bruno');
    await leaves(await page('brief'), 'brief');
    await stack.publish('a', 'meanwhile');
    assert.deepEqual(await missed(comeBack, id), [
      'changes',
      ['connect', 'ana', 1],
      ['disconnect', 'bruno', 0],
      ['disconnect', 'brief', 0],
    ]);
    await Promise.all([stays.close(), ana.close()]);
  });
}

test('who has gone and come again is there', async () => {
  const first = await page('ana');
  const { id } = await stack.publish('a', 'heard');
  await leaves(first, 'ana');
  const [second, third] = [await page('ana'), await page('ana')];
  assert.deepEqual(await missed(COMING_BACK.frames, id), ['changes', ['connect', 'ana', 2]]);
  await Promise.all([second.close(), third.close()]);
});

test('more than is remembered: what was known is void, and the newest are told', async () => {
  const { id } = await stack.publish('a', 'heard');
  const pages = [];
  for (let i = 0; i < MOST + 3; i++) {
    pages.push(await page(`page-${i}`));
  }
  const [told, ...names] = await missed(COMING_BACK.lines, id);
  assert.equal(told, 'newest');
  // The watcher itself is the newest one.
  assert.deepEqual(names, Array.from({ length: MOST - 1 }, (_, i) => ['connect', `page-${i + 4}`, 1]));
  await Promise.all(pages.map((client) => client.close()));
});

test('who went is forgotten when too many have gone since: all that are there are told', async () => {
  const stays = await page('stays');
  const { id } = await stack.publish('a', 'heard');
  for (let i = 0; i < MOST + 1; i++) {
    await leaves(await page(`visit-${i}`), `visit-${i}`);
  }
  assert.deepEqual(await missed(COMING_BACK.sse, id), ['all', ['connect', 'stays', 1]]);
  await stays.close();
});

test('a poll ends with what changed between two polls, and an answer that was lost is told again', async () => {
  const first = await poll({ clid: 'poller', wait: 0 });
  const second = await poll({ clid: 'poller', wait: 0, ...first.past });
  assert.deepEqual(presenceOf([...first.frames, ...second.frames]), ['changes']);
  const ana = await page('ana');
  const third = await poll({ clid: 'poller', ...second.past }); // it does not wait for the end of its time
  assert.deepEqual(presenceOf(third.frames), ['changes', ['connect', 'ana', 1]]);
  const again = await poll({ clid: 'poller', wait: 0, ...second.past });
  assert.deepEqual(presenceOf(again.frames), ['changes', ['connect', 'ana', 1]]);
  const fourth = await poll({ clid: 'poller', wait: 0, ...again.past });
  assert.deepEqual(presenceOf(fourth.frames), ['changes']);
  await ana.close();
});

test('over a restart: what was known is void, and all that are there are told', async () => {
  const before = await page('before');
  const { id } = await stack.publish('a', 'heard');
  assert.equal(await stack.daemon.end(), 0);
  await before.close();
  await stack.startDaemon();
  const ana = await page('ana');
  for (const [name, comeBack] of Object.entries(COMING_BACK)) {
    await stack.untilTotal(1);
    const watcher = await comeBack(id);
    await stack.publishInTheEnd('a', `end for ${name}`);
    const frames = await watcher.until(`end for ${name}`);
    await watcher.close();
    assert.deepEqual(presenceOf(frames), ['all', ['connect', 'ana', 1]], name);
  }
  await ana.close();
});
