'use strict';

// The bus over a Redis whose place a replica takes: who connects asks the sentinels, of which the first here is not
// even there.

const assert = require('node:assert/strict');
const { afterEach, test } = require('node:test');
const { BusPeer } = require('./lib/bus-peer');
const { newFolder } = require('./lib/paths');
const { SentinelSet } = require('./lib/sentinel');

let set;
let peers = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map(({ program }) => program.isRunning && program.end('SIGKILL')));
  await set?.stop();
});

async function startPeer(folder, kind, more = {}) {
  const config = { bus: { lease: '2s', receivers_time: '60s' }, redis: { ...set.config, time_limit: '1s', ...more } };
  const peer = await BusPeer.ready(folder, kind, config);
  peers.push(peer);
  return peer;
}

test('a replica takes over: what was acknowledged is there once, and in order', async () => {
  const folder = newFolder('bus-sentinel');
  set = await SentinelSet.start(folder);
  const nodes = [await startPeer(folder, 'node'), await startPeer(folder, 'node')];
  const publisher = await startPeer(folder, 'publisher', { wait_replicas: 1 });
  const post = async (text) => {
    const answer = await publisher.publish([['t', text]]);
    assert.equal(answer.good, true, answer.trouble);
  };
  await post('before');
  const failing = set.failOver();
  const during = Array.from({ length: 10 }, (_, i) => `during-${i}`);
  for (const text of during) await post(text);
  await failing;
  await post('last');
  for (const node of nodes) {
    await node.find(({ e }) => e === 'last', 'the last');
    assert.deepEqual(node.events(), ['before', ...during, 'last'].map((e) => `t:${e}`));
  }
});

test('a replica that lacks what nodes have seen: ids begin anew', async () => {
  const folder = newFolder('bus-behind');
  set = await SentinelSet.start(folder, { replicas: 1 });
  const node = await startPeer(folder, 'node');
  const publisher = await startPeer(folder, 'publisher');
  const strict = await startPeer(folder, 'publisher', { wait_replicas: 1 });
  const first = await publisher.publish([['t', 'first']]);
  // The replica stands still and its line is cut: it does not get what follows.
  const [master, replica] = set.servers;
  replica.program.signal('SIGSTOP');
  await set.cli(master.port, 'CLIENT', 'KILL', 'TYPE', 'replica');
  await publisher.publish([['t', 'lost']]);
  await node.find(({ e }) => e === 'lost', 'what will be lost');
  const refused = await strict.publish([['t', 'not-enough']], { limit: 300 });
  assert.deepEqual([refused.good, refused.events[0].acknowledged], [false, false]);
  assert.match(refused.trouble, /fewer replicas/);
  await node.find(({ e }) => e === 'not-enough', 'the other');
  await master.program.end('SIGKILL');
  replica.program.signal('SIGCONT');
  const then = await publisher.publish([['t', 'then']]);
  assert.equal(then.good, true, then.trouble);
  assert.ok(Number(then.events[0].id.split('-')[0]) > Number(first.events[0].id.split('-')[0]));
  await node.news('epoch');
  await node.find(({ e }) => e === 'then', 'what came then');
});
