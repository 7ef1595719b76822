'use strict';

// Several daemons on one Redis, behind nginx as deploy/ has it: who is sent where, and what becomes of who comes to the wrong one.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { follow, request } = require('./lib/http');
const { Nodes } = require('./lib/nodes');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { until } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const SECRET = 'the secret of the tickets of these tests';
const numberOf = async (node) => (await node.look('/state')).node.number;
const nodeOf = (connid) => connid % 1024;

describe('three daemons on one Redis', () => {
  let all;
  let numbers; // of all.nodes
  before(async () => {
    all = await Nodes.start('nodes', 3, { config: { bus: { receivers_time: '10s' }, fanout: { poll_gap: '1m' } } });
    numbers = await Promise.all(all.nodes.map(numberOf));
    // Each says where it is reached from its first renewal on.
    await until('all are known', async () => {
      const { stdout } = await all.esnctl('nodes', '--json');
      return JSON.parse(stdout).filter(({ living, url }) => living && url).length === 3;
    });
  });
  after(() => all?.stop());

  test('esnctl asks each for its figures', async () => {
    const { code, stdout, stderr } = await all.esnctl('nodes', '--state', '--json', '--url', all.url);
    assert.equal(code, 0, stderr);
    const listed = JSON.parse(stdout);
    assert.deepEqual(listed.map(({ url }) => url).sort(), ['node/1/', 'node/2/', 'node/3/']);
    for (const { node, state } of listed) {
      assert.equal(state.node.number, node);
    }
    const table = await all.esnctl('nodes', '--state', '--url', all.url);
    assert.deepEqual(table.stdout.match(/^node \d+(?=\n\S)/gm), listed.map(({ node }) => `node ${node}`), table.stdout);
    // Unless it is told to, it asks nobody, and need not know where they are.
    const plain = await all.esnctl('nodes', '--json');
    assert.deepEqual([plain.code, plain.stderr], [0, '']);
    assert.ok(JSON.parse(plain.stdout).every((one) => one.state === undefined), plain.stdout);
  });

  const at = (number) => all.nodes[numbers.indexOf(number)];
  const post = (url, body) => request(url, { method: 'POST', agent: false, body: JSON.stringify(body) });

  test('each has a number of its own, and streams come to all of them', async () => {
    assert.equal(new Set(numbers).size, 3);
    const streams = [];
    const met = new Set();
    await until('each has one', async () => {
      streams.push(await Subscriber.open(all.url, ['everywhere']));
      return met.add(nodeOf(streams.at(-1).connected.connid)).size === 3;
    });
    const { receivers, complete } = await all.publish('everywhere', 'x');
    assert.deepEqual({ receivers, complete }, { receivers: streams.length, complete: true });
    for (const stream of streams) {
      await stream.takeUntil('x');
      await stream.close();
    }
  });

  test('a ticket that names a daemon is for that one, and not used up by coming to another', async () => {
    const [one, other] = numbers;
    const text = ticket(claims({ node: one }), { secret: SECRET });
    const refused = await request(`${at(other).url}/poll?wait=0&ticket=${text}`, { agent: false });
    assert.deepEqual([refused.status, refused.json.error], [503, 'Ticket of another daemon']);
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal((await request(`${at(one).url}/poll?wait=0&ticket=${text}`, { agent: false })).status, 200);
    assert.equal((await request(`${at(one).url}/poll?wait=0&ticket=${text}`, { agent: false })).status, 400);
  });

  test('a ticket that names none is taken by any, which tells the others', async () => {
    const [one, other] = numbers;
    const text = ticket(claims(), { secret: SECRET });
    assert.equal((await request(`${at(one).url}/poll?wait=0&ticket=${text}`, { agent: false })).status, 200);
    // The note is a moment on its way.
    const another = ticket(claims(), { secret: SECRET });
    await until('the other has heard of one', async () => {
      const fresh = ticket(claims(), { secret: SECRET });
      assert.equal((await request(`${at(one).url}/poll?wait=0&ticket=${fresh}`, { agent: false })).status, 200);
      return (await request(`${at(other).url}/poll?wait=0&ticket=${fresh}`, { agent: false })).status === 400;
    });
    assert.equal((await request(`${at(other).url}/poll?wait=0&ticket=${text}`, { agent: false })).status, 400, 'notes come in order');
    assert.equal((await request(`${at(other).url}/poll?wait=0&ticket=${another}`, { agent: false })).status, 200);
  });

  test('a stream is renewed through whichever daemon, and secrets follow each other', async () => {
    const stream = await Subscriber.open(all.url, ['a']);
    let { connid, secret } = stream.connected;
    for (let i = 0; i < 6; i++) {
      const answer = await follow(`${all.url}alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret }) });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.connid, connid);
      ({ secret } = answer.json);
    }
    const stranger = numbers.find((number) => number !== nodeOf(connid));
    const index = numbers.indexOf(nodeOf(connid)) + 1;
    const sent = await post(`${at(stranger).url}/alive`, { connid, secret });
    assert.equal(sent.status, 307, sent.text);
    assert.equal(sent.headers.location, `node/${index}/alive?sent_on=1`);
    const own = numbers.indexOf(stranger) + 1;
    const below = await post(`${all.url}node/${own}/alive`, { connid, secret });
    assert.equal(below.headers.location, `../../node/${index}/alive?sent_on=1`);
    assert.equal((await follow(`${all.url}node/${own}/alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret }) })).status, 200);
    // Sent on once, it is answered.
    const twice = await post(`${at(stranger).url}/alive?sent_on=1`, { connid, secret });
    assert.deepEqual([twice.status, twice.json.error], [400, 'Invalid data']);
    // Whoever does not show the stream's secret is told nothing of where it is.
    const guess = await post(`${at(stranger).url}/alive`, { connid, secret: '0'.repeat(32) });
    assert.deepEqual([guess.status, guess.json.error], [400, 'Invalid data']);
    await stream.close();
  });

  test('one that polls stays where it is, whichever daemon it comes to, and nobody sees it go', async () => {
    const watcher = await Subscriber.open(`${at(numbers[0]).url}/`, ['@CONNECTION@/poller', 'end']);
    let past = {};
    for (let i = 0; i < 6; i++) {
      const url = `${all.nodes[i % 3].url}/poll`;
      const body = JSON.stringify({ ep: ['p'], clid: 'poller', wait: 0, ...past });
      const first = await request(url, { method: 'POST', agent: false, body });
      const sent = first.status === 307 ? first.headers.location : undefined;
      assert.equal(sent !== undefined, i % 3 > 0, first.text);
      const answer = sent ? await request(`${all.url}${sent}`, { method: 'POST', agent: false, body }) : first;
      assert.equal(answer.status, 200, answer.text);
      const { connid, secret } = answer.json.events[0].e.detail;
      assert.ok(!past.connid || past.connid === connid);
      past = { connid, secret, last_id: answer.json.id };
    }
    await all.publish('end', 'end');
    const seen = (await watcher.takeUntil('end')).map(({ json }) => json.e.type);
    assert.deepEqual(seen.filter((type) => type === 'connect' || type === 'disconnect'), ['connect'], seen.join());
    await watcher.close();
  });

  test('a WebSocket comes back to another daemon as the same stream', async () => {
    const [one, other] = numbers;
    const first = await WebSocketPeer.open(at(one).port, '/ws?ep=w');
    const { connid, secret } = first.connected;
    assert.equal(nodeOf(connid), one);
    const second = await WebSocketPeer.open(at(other).port, `/ws?ep=w&connid=${connid}&secret=${secret}`);
    const again = second.connected;
    assert.equal(again.connid, connid);
    await until('the first has ended', async () => Object.keys(await at(one).look(`/connections?details=true&match=${connid}`)).length === 0);
    const answer = await all.post({ ep: [{ topic: 'w', whisper: connid }], e: { type: 'whisper' } });
    assert.equal(answer.json.receivers, 1, answer.text);
    assert.equal((await second.message()).e.type, 'whisper');
    // Its number is that of the first daemon, but it is at the second, which its secret says.
    const renewed = await follow(`${all.url}alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret: again.secret }) });
    assert.equal(renewed.status, 200, renewed.text);
    first.destroy();
    second.destroy();
  });

  test('who had an event is asked of all, and answered in one', async () => {
    const streams = await Promise.all(all.nodes.map((node) => Subscriber.open(`${node.url}/`, { ep: ['r'], report: true })));
    const { json } = await all.post({ ep: ['r'], e: { type: 'x' }, report: true });
    assert.equal(json.receivers, 3);
    const report = async () => (await request(`${all.url}event/${json.id}`, { agent: false, headers: { Authorization: `Bearer ${all.publishToken}` } })).json;
    const before = await until('all were given it', async () => {
      const found = await report();
      return found.sent === 3 && found;
    });
    assert.deepEqual([before.had, before.missing.map(({ connid }) => connid).sort()], [0, streams.map(({ connected }) => connected.connid).sort()]);
    const [first, ...others] = streams;
    await first.takeUntil('x');
    const { connid, secret } = first.connected;
    const said = await follow(`${all.url}alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret, had: json.id }) });
    assert.equal(said.status, 200, said.text);
    const after = await report();
    assert.deepEqual([after.sent, after.had, after.missing.map((one) => one.connid).sort()], [3, 1, others.map(({ connected }) => connected.connid).sort()]);
    await Promise.all(streams.map((stream) => stream.close()));
  });

  test('esn-subscribe sends who comes back to where its stream was', async () => {
    for (let i = 0; i < 4; i++) {
      const stream = await Subscriber.open(all.url, ['a']);
      const { connid, secret } = stream.connected;
      const again = await Subscriber.open(all.url, { ep: ['a'], connid, secret });
      assert.equal(again.connected.connid, connid);
      const details = await at(nodeOf(connid)).look(`/connections?details=true&match=${connid}`);
      assert.deepEqual(Object.keys(details), [String(connid)]);
      await stream.over;
      await again.close();
    }
  });
});

describe('a daemon that is away', () => {
  let all;
  before(async () => {
    all = await Nodes.start('nodes-away', 2, { config: { bus: { lease: '1s', receivers_time: '2s' } } });
  });
  after(() => all?.stop());

  const listed = async () => JSON.parse((await all.esnctl('nodes', '--json')).stdout);

  test('stands still: events go on, and publishers are told that not all have counted', async () => {
    const stream = await Subscriber.open(`${all.nodes[0].url}/`, ['a']);
    all.nodes[1].daemon.signal('SIGSTOP');
    const { receivers, complete } = await all.publish('a', 'x');
    all.nodes[1].daemon.signal('SIGCONT');
    assert.deepEqual({ receivers, complete }, { receivers: 1, complete: false });
    await stream.takeUntil('x');
    await stream.close();
    await until('all count again', async () => (await all.publish('a', 'y')).complete);
  });

  test('is cut off from Redis: who comes is answered at once, and has not used up a ticket', async () => {
    const node = all.nodes[0];
    const isReady = async () => (await request(`${node.url}/readyz`, { agent: false })).status === 200;
    const text = ticket(claims({ node: await numberOf(node) }), { secret: SECRET });
    const poll = () => request(`${node.url}/poll?wait=0&ticket=${text}`, { agent: false });
    all.redis.program.signal('SIGSTOP');
    await until('it is cut off', async () => !(await isReady()));
    const refused = await poll();
    assert.deepEqual([refused.status, refused.json.error], [503, 'Cut off from the other daemons']);
    all.redis.program.signal('SIGCONT');
    await until('it is back', isReady);
    const taken = await poll();
    assert.equal(taken.status, 200, taken.text);
    assert.equal((await poll()).status, 400);
  });

  test('is killed: its streams come back to the other as the same ones, on its own way too, and esnctl says that it is dead', async () => {
    const node = all.nodes[1];
    await until('its way is known', async () => (await listed()).every(({ url }) => url));
    const stream = await Subscriber.open(`${node.url}/`, ['a']);
    const { connid, secret, id } = stream.connected;
    await node.daemon.end('SIGKILL');
    await stream.over;
    assert.equal((await all.post({ ep: ['a'], e: { type: 'missed' } })).status, 200);
    assert.equal((await all.post({ ep: [{ topic: 'a', whisper: connid }], e: { type: 'whispered' } })).status, 200);
    const again = await Subscriber.open(`${all.url}node/2/`, { ep: ['a'], connid, secret, last_id: id });
    assert.deepEqual({ connid: again.connected.connid, recovered: again.connected.recovered }, { connid, recovered: true });
    await all.publish('a', 'live');
    const types = (await again.takeUntil('live')).map(({ json }) => json.e.type);
    assert.deepEqual(types, ['connected', 'missed', 'whispered', 'live']);
    await until('it is dead', async () => (await listed()).some(({ living, silent_ms: silent }) => !living && silent >= 1000));
    await until('none waits for it', async () => (await all.publish('a', 'alone')).complete);
    // Through the upstream nobody notices.
    for (let i = 0; i < 4; i++) {
      const other = await Subscriber.open(all.url, ['a']);
      assert.equal((await request(`${all.url}healthz`, { agent: false })).status, 200);
      await other.close();
    }
    await node.startDaemon();
    await again.close();
  });
});
