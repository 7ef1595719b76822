'use strict';

// Redis as the engine of the bus, with neither streams nor posts: publishers and inboxes as handlers and daemons have
// them, against a real Redis that is killed, comes back, or is reached over a line that is cut.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { BusPeer } = require('./lib/bus-peer');
const { newFolder, programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { Redis } = require('./lib/redis');
const { Relay } = require('./lib/relay');
const { until } = require('./lib/wait');

const DELIVERED = 0;
const DOUBLE = 1;
const LIMITED = 3;
const OTHER = 4;
// Nodes of a busy machine answer in the end; the clock decides nothing.
const PATIENT = { receivers_time: '60s', lease: '60s' };
const KEY = '0123456789abcdef0123456789abcdef';

// When the server took each event of the log.
const WALLS = "local t = {} for _, e in ipairs(redis.call('XRANGE', 'esn:log', '-', '+')) do if e[2][3] == 't' then t[#t + 1] = e[2][4] end end return t";

const statuses = ({ events }) => events.map(({ status }) => status);
const numbers = (count, from = 0) => Array.from({ length: count }, (_, i) => i + from);

/** Redis and peers on it, ended after each test. */
class Scene {
  static async start(label, redisWords) {
    const scene = new Scene();
    scene.folder = newFolder(label);
    scene.peers = [];
    scene.relays = [];
    scene.redis = await Redis.start(scene.folder, { words: redisWords });
    return scene;
  }

  #config({ bus = {}, redis = {}, ...rest }) {
    return { ...rest, bus: { ...PATIENT, ...bus }, redis: { url: this.redis.url, time_limit: '30s', connect_time: '30s', ...redis } };
  }

  async #peer(kind, config, words) {
    const peer = await BusPeer.ready(this.folder, kind, this.#config(config), words);
    this.peers.push(peer);
    return peer;
  }

  node(config = {}, words = []) {
    return this.#peer('node', config, words);
  }

  publisher(config = {}) {
    return this.#peer('publisher', config);
  }

  /** A line to Redis. */
  async relay() {
    const relay = await Relay.start(path.join(this.folder, `relay${this.relays.length}`), this.redis.socket);
    this.relays.push(relay);
    return relay;
  }

  /** Ends it at once, and starts it with what it has on its disk. */
  async restartRedis() {
    await this.redis.program.end('SIGKILL');
    await this.redis.start();
  }

  async endPeers() {
    await Promise.all(this.peers.splice(0).map(({ program }) => program.isRunning && program.end('SIGKILL')));
    await Promise.all(this.relays.splice(0).map((relay) => relay.stop()));
  }

  async stop() {
    await this.endPeers();
    await this.redis.stop();
  }
}

describe('a Redis that stays', () => {
  let scene;
  before(async () => (scene = await Scene.start('bus-redis', ['--save', ''])));
  beforeEach(() => scene.redis.cli('FLUSHALL'));
  afterEach(() => scene.endPeers());
  after(() => scene?.stop());

  test('every node has every event once, in order, and receivers are the sum', async () => {
    const nodes = [await scene.node(), await scene.node()];
    nodes[1].say('receivers 41');
    await Promise.all(nodes.map((node) => node.news('window')));
    const publishers = [await scene.publisher(), await scene.publisher()];
    const all = await Promise.all(
      publishers.map(async (publisher, who) => {
        const answers = [];
        for (let i = 0; i < 300; i += 10) answers.push(await publisher.publish(numbers(10, i).map((n) => [`p${who}`, n])));
        return answers;
      }),
    );
    for (const answer of all.flat()) {
      assert.equal(answer.good, true, answer.trouble);
      for (const { complete, receivers } of answer.events) assert.deepEqual([complete, receivers], [true, 42]);
    }
    const ids = all.flat().flatMap(({ events }) => events.map(({ id }) => id));
    assert.equal(new Set(ids).size, 600);
    for (const node of nodes) {
      const heard = node.lines.filter(({ kind }) => kind === 'event');
      assert.deepEqual(heard.map(({ number }) => number), numbers(600, 1));
      for (const who of [0, 1]) {
        assert.deepEqual(heard.filter(({ topic }) => topic === `p${who}`).map(({ e }) => Number(e)), numbers(300));
      }
    }
  });

  test('a node that says nothing is waited for no longer than receivers_time', async () => {
    const silent = await scene.node();
    silent.say('hold');
    await scene.node();
    const publisher = await scene.publisher({ bus: { receivers_time: '300ms' } });
    const answer = await publisher.publish([['t', 1]]);
    assert.deepEqual(answer.events.map(({ acknowledged, complete, receivers }) => ({ acknowledged, complete, receivers })), [
      { acknowledged: true, complete: false, receivers: 1 },
    ]);
  });

  test('what is posted twice is published once, by whichever handler, and told the receivers of then', async () => {
    const node = await scene.node();
    const [one, other] = [await scene.publisher(), await scene.publisher()];
    const first = await one.publish([['t', 1, { key: KEY }]]);
    const again = await other.publish([['t', 1, { key: KEY }], ['t', 2, { key: KEY }]]);
    assert.deepEqual(statuses(again), [DOUBLE, OTHER]);
    assert.deepEqual([again.events[0].id, again.events[0].receivers], [first.events[0].id, 1]);
    await one.publish([['t', 'end']]);
    await node.find(({ e }) => e === 'end', 'the end');
    assert.deepEqual(node.events(), ['t:1', 't:end']);
  });

  test('a publisher has its rate through all handlers, and a double costs nothing', async () => {
    await scene.node();
    const [one, other] = [await scene.publisher(), await scene.publisher()];
    const slow = { rate: 1 };
    assert.deepEqual(statuses(await one.publish([['t', 1, { ...slow, key: KEY }]])), [DELIVERED]);
    const answer = await other.publish([['t', 1, { ...slow, key: KEY }], ['t', 2, slow], ['t', 3]]);
    assert.deepEqual(statuses(answer), [DOUBLE, LIMITED, DELIVERED]);
    assert.ok(answer.events[1].wait > 0 && answer.events[1].wait <= 1000, JSON.stringify(answer));
  });

  test('an answer that is lost on the way is asked for again, and nothing is published twice', async () => {
    const node = await scene.node();
    const relay = await scene.relay();
    const publisher = await scene.publisher({ redis: { url: `unix:${relay.path}` } });
    await publisher.publish([['t', 'first']]);
    for (let i = 0; i < 3; i++) {
      relay.loseAnswerTo('EVALSHA');
      const answer = await publisher.publish(numbers(5, 5 * i).map((n) => ['t', n]));
      assert.deepEqual(statuses(answer), Array(5).fill(DELIVERED));
    }
    assert.equal(relay.cuts, 3);
    await publisher.publish([['t', 'end']]);
    await node.find(({ e }) => e === 'end', 'the end');
    assert.deepEqual(node.events(), ['first', ...numbers(15), 'end'].map((e) => `t:${e}`));
  });

  test('scripts that the server has forgotten are brought to it again', async () => {
    await scene.node();
    const publisher = await scene.publisher();
    await publisher.publish([['t', 1]]);
    await scene.redis.cli('SCRIPT', 'FLUSH');
    assert.deepEqual(statuses(await publisher.publish([['t', 2]])), [DELIVERED]);
  });

  test('a node that begins is given the window, and last values and drops from before it', async () => {
    await scene.node();
    const publisher = await scene.publisher();
    const large = 'x'.repeat(3000);
    await publisher.publish([['kept', 1, { flags: 'keep' }], ['gone', 1, { flags: 'keep' }], ['kept', 2, { flags: 'keep' }]]);
    await publisher.publish([['gone', 'x', { flags: 'forget' }], ['late', 0, { flags: 'keep' }]]);
    await publisher.ask('drop ana 3600000');
    await publisher.ask('drop luis 0');
    await publisher.publish(numbers(30).map((n) => ['t', `${n}${large}`]));
    await publisher.publish([['late', 3, { flags: 'keep' }]]);
    const node = await scene.node({ log: { max_bytes: '64k' } });
    assert.equal(node.facts.sequence, 38);
    const window = await node.news('window');
    const before = node.lines.slice(0, node.lines.findIndex((line) => line.news === 'window')).filter(({ kind }) => kind);
    assert.ok(window && before.every(({ past }) => past));
    assert.deepEqual(node.events({ past: true, value: true }), ['kept:2']);
    assert.deepEqual(before.filter(({ kind }) => kind === 'drop').map(({ name }) => name), ['ana']);
    const events = before.filter(({ kind, value }) => kind === 'event' && !value);
    assert.ok(events.length > 5 && events.length < 25, `${events.length} events`);
    assert.deepEqual(events.map(({ number }) => number), numbers(events.length, 39 - events.length));
    await publisher.publish([['t', 'live']]);
    await node.find(({ e }) => e === 'live', 'a live event');
    assert.deepEqual(node.events(), ['t:live']);
    const walls = (await scene.redis.cli('EVAL', WALLS, '0')).split('\n').map(Number);
    const told = node.lines.filter(({ kind }) => kind);
    assert.deepEqual(told.map(({ wall }) => wall), told.map(({ number }) => walls[number - 1]));
  });

  test('last values are bounded: the oldest go', async () => {
    await scene.node();
    const publisher = await scene.publisher({ log: { max_kept: '32k' } });
    const large = 'x'.repeat(1000);
    for (let i = 0; i < 100; i += 10) await publisher.publish(numbers(10, i).map((n) => [`v${n}`, large, { flags: 'keep' }]));
    const left = (await scene.redis.cli('HKEYS', 'esn:values')).split('\n');
    assert.ok(left.length > 20 && left.length < 32, `${left.length} values`);
    assert.ok(left.includes('v99') && !left.includes('v0'));
    assert.equal(await scene.redis.cli('ZCARD', 'esn:values:age'), String(left.length));
  });

  test('questions are answered by all nodes, refusals heard by them, the position is Redis\' own', async () => {
    const nodes = [await scene.node(), await scene.node()];
    const publisher = await scene.publisher();
    const { events } = await publisher.publish([['t', 1]]);
    const answer = await publisher.ask('question 1 1');
    assert.deepEqual([answer.answer, answer.events[0].complete, answer.events[0].status], ['{"a":1}\n{"a":1}', true, DELIVERED]);
    assert.equal((await publisher.ask('position')).events[0].id, events[0].id);
    publisher.say('refuse because');
    for (const node of nodes) await node.find(({ reason }) => reason === 'because', 'the refusal');
  });

  test('esnctl report prints no answer that is none, and says why', async () => {
    const node = await scene.node();
    const report = async () => {
      const { code, stdout, stderr } = await run([programs.esnctl, 'report', '--config', node.file, '1-1']);
      return [code, stdout, stderr.trim()];
    };
    assert.deepEqual(await report(), [1, '', "esnctl: the daemon's answer is none of this version"]);
    node.say('overloaded');
    assert.deepEqual(await report(), [1, '', 'esnctl: the daemon is overloaded']);
  });

  test('what was trimmed before a node could read it is said to be lost', async () => {
    const node = await scene.node();
    await node.news('window');
    const publisher = await scene.publisher({ bus: { max_events: 1000, receivers_time: 0 } });
    await publisher.publish([['t', 'first']]);
    await node.find(({ e }) => e === 'first', 'the first');
    node.program.signal('SIGSTOP');
    const text = 'x'.repeat(20);
    for (let i = 0; i < 5000; i += 500) await publisher.publish(numbers(500, i).map((n) => ['t', `${n}${text}`]));
    await publisher.publish([['t', 'last']]);
    // What had come before it was stopped may still be read; what follows is too far away.
    await until('the log is trimmed', async () => Number(await scene.redis.cli('XLEN', 'esn:log')) < 2000);
    node.program.signal('SIGCONT');
    await node.find(({ e }) => e === 'last', 'the last');
    const lost = node.lines.filter(({ news }) => news === 'lost');
    const heard = node.lines.filter(({ kind }) => kind === 'event').map(({ number }) => number);
    assert.equal(lost.length, 1);
    const next = heard.find((number) => number > lost[0].sequence);
    assert.equal(next, lost[0].sequence + 1);
    assert.equal(heard.at(-1), 5002);
  });
});

const NEWS_OF_TROUBLE = ['cut', 'gone', 'epoch'];
const troubleOf = (node) => node.lines.filter(({ news }) => NEWS_OF_TROUBLE.includes(news));

// So long is a post tried that a lease passes meanwhile, which is long enough for a busy machine.
const LEASE = { bus: { lease: '8s', receivers_time: '1s' } };
const LONGER = { limit: 10_000 };

describe('a Redis that takes no more', () => {
  let scene;
  afterEach(() => scene?.stop());

  test('is full: posts are refused and say why, daemons live on and join, and a smaller log makes room', async () => {
    scene = await Scene.start('bus-full', ['--save', '']);
    const nodes = [await scene.node(LEASE), await scene.node(LEASE)];
    await nodes[0].news('came', { node: nodes[1].facts.node });
    const publisher = await scene.publisher(LEASE);
    for (let i = 0; i < 2000; i += 500) await publisher.publish(numbers(500, i).map((n) => ['t', n]));
    for (const node of nodes) await node.find(({ e }) => e === '1999', 'the last of them');
    await scene.redis.cli('CONFIG', 'SET', 'maxmemory', '1');
    const answer = await publisher.publish([['t', 'refused']], LONGER);
    assert.deepEqual([answer.good, answer.events[0].acknowledged], [false, false]);
    assert.match(answer.trouble, /OOM/);
    nodes.push(await scene.node({ bus: { ...LEASE.bus, max_events: 1000 } }));
    await nodes[2].news('window');
    await until('the log is smaller', async () => Number(await scene.redis.cli('XLEN', 'esn:log')) < 1200);
    await scene.redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    await until('posts are taken', async () => (await publisher.publish([['t', 'then']])).good);
    for (const node of nodes) {
      await node.find(({ e }) => e === 'then', 'what comes then');
      assert.deepEqual(troubleOf(node), []);
      assert.ok(!node.lines.some(({ e }) => e === 'refused'));
    }
  });

  test('cannot write its snapshots: posts are refused and say why, and daemons live on', async () => {
    scene = await Scene.start('bus-misconf', ['--save', '3600 1']);
    const nodes = [await scene.node(LEASE), await scene.node(LEASE)];
    await nodes[0].news('came', { node: nodes[1].facts.node });
    const publisher = await scene.publisher(LEASE);
    const dump = path.join(scene.redis.folder, 'dump.rdb');
    const saved = (status) =>
      until(`a snapshot is ${status}`, async () => {
        await scene.redis.cli('BGSAVE', 'SCHEDULE');
        return (await scene.redis.cli('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${status}`);
      });
    fs.mkdirSync(dump);
    await saved('err');
    const answer = await publisher.publish([['t', 'refused']], LONGER);
    assert.deepEqual([answer.good, answer.events[0].acknowledged], [false, false]);
    assert.match(answer.trouble, /MISCONF/);
    fs.rmdirSync(dump);
    await saved('ok');
    await until('posts are taken', async () => (await publisher.publish([['t', 'then']])).good);
    for (const node of nodes) {
      await node.find(({ e }) => e === 'then', 'what comes then');
      assert.deepEqual(troubleOf(node), []);
    }
  });

  test('may evict: a daemon that comes to it warns', async () => {
    scene = await Scene.start('bus-evicts', ['--save', '', '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru']);
    const node = await scene.node(LEASE);
    await node.program.untilLog(/may evict .*maxmemory_policy=.?allkeys-lru/);
  });
});

describe('nodes', () => {
  let scene;
  before(async () => (scene = await Scene.start('bus-nodes', ['--save', ''])));
  beforeEach(() => scene.redis.cli('FLUSHALL'));
  afterEach(() => scene.endPeers());
  after(() => scene?.stop());

  test('that start at once have different numbers, one key and one epoch', async () => {
    const nodes = await Promise.all(numbers(12).map(() => scene.node()));
    assert.equal(new Set(nodes.map(({ facts }) => facts.node)).size, 12);
    for (const field of ['key', 'epoch']) assert.equal(new Set(nodes.map(({ facts }) => facts[field])).size, 1);
    for (const { facts } of nodes) assert.equal(facts.connid % 1024, facts.node);
  });

  test('a node whose user may not SUBSCRIBE for a while says so, and hears notes when it may', async () => {
    const rights = (...words) => scene.redis.cli('ACL', 'SETUSER', 'bus', ...words);
    await rights('on', '>geheim', '~*', '&*', '+@all');
    const password = path.join(scene.folder, 'redis.password');
    fs.writeFileSync(password, 'geheim\n', { mode: 0o600 });
    const relay = await scene.relay();
    const node = await scene.node({ redis: { url: `unix:${relay.path}`, user: 'bus', password_file: password } });
    await rights('-subscribe');
    relay.cut();
    await node.program.untilLog(/NOPERM/);
    await rights('+subscribe');
    const late = await scene.node();
    await node.news('came', { node: late.facts.node });
    late.say('note hello');
    const isOfIt = (line) => line.node === late.facts.node && ['note', 'missed'].includes(line.news);
    assert.equal((await node.find(isOfIt, 'what it has heard')).text, 'hello');
  });

  test('have the number of a dead one when there is no other', async () => {
    const fill = "for i = 0, 1023 do redis.call('HSET', 'esn:nodes', i, string.format('%016x 1 0 0 0 ', i + 1)) end";
    await scene.redis.cli('EVAL', fill, '0');
    const { facts } = await scene.node({ bus: { lease: '1s' } });
    assert.ok(facts.node < 1024, String(facts.node));
    assert.match(await scene.redis.cli('HGET', 'esn:nodes', String(facts.node)), new RegExp(`^${BigInt(facts.boot).toString(16).padStart(16, '0')} `));
  });

  test('know of each other, and of the end of each', async () => {
    const lease = { bus: { lease: '1s' } };
    const [one, two, three] = [await scene.node(lease), await scene.node(lease), await scene.node(lease)];
    await one.news('came', { node: two.facts.node });
    await one.news('came', { node: three.facts.node });
    two.say('describe 17 http://two/');
    await until('the record is known', async () => {
      const { nodes } = await one.ask('nodes');
      return nodes?.some(({ node, streams, url }) => node === two.facts.node && streams === 17 && url === 'http://two/');
    });
    await two.leave();
    await one.news('gone', { node: two.facts.node });
    assert.equal(await scene.redis.cli('HEXISTS', 'esn:nodes', String(two.facts.node)), '0');
    // A record that does not change is that of a dead node, though Redis keeps it.
    await three.kill();
    await one.news('gone', { node: three.facts.node });
    await until('its record is removed', async () => (await scene.redis.cli('HEXISTS', 'esn:nodes', String(three.facts.node))) === '0');
  });

  test('hear what the others say, in order, and learn when something was missed', async () => {
    const lease = { bus: { lease: '1s' } };
    const [one, two] = [await scene.node(lease), await scene.node(lease)];
    await one.news('came', { node: two.facts.node });
    for (const n of numbers(200)) two.say(`note ${n}`);
    await one.news('note', { text: '199' });
    const heard = one.lines.filter(({ news }) => news === 'note');
    assert.deepEqual(heard.map(({ text }) => Number(text)), numbers(200));
    assert.equal(two.lines.some(({ news }) => news === 'note'), false);
    // A line that is cut loses notes: who is silent afterwards has to be asked all the same.
    await scene.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await one.news('missed', { node: two.facts.node });
  });

  test('a node that takes another one up has its number, and goes on behind what that had', async () => {
    const [watcher, old] = [await scene.node(), await scene.node()];
    await watcher.news('came', { node: old.facts.node });
    const publisher = await scene.publisher({ bus: { receivers_time: '50ms' } });
    const { events } = await publisher.publish([['t', 1], ['t', 2]]);
    const [epoch, sequence] = events[1].id.split('-');
    await old.end();
    await publisher.publish([['t', 3]]);
    const next = await scene.node({}, [old.facts.boot, epoch, sequence]);
    assert.equal(next.facts.node, old.facts.node);
    await publisher.publish([['t', 4]]);
    await next.find(({ e }) => e === '4', 'the fourth');
    assert.deepEqual(next.events(), ['t:3', 't:4']);
    assert.equal(watcher.lines.some(({ news }) => news === 'gone'), false);
  });

  test('a node whose line is mute counts itself as cut off, and comes back with all that happened', async () => {
    const relay = await scene.relay();
    const short = { lease: '1s' };
    const watcher = await scene.node({ bus: short });
    const node = await scene.node({ bus: short, redis: { url: `unix:${relay.path}`, time_limit: '200ms' } });
    await watcher.news('came', { node: node.facts.node });
    const publisher = await scene.publisher({ bus: { ...short, receivers_time: '50ms' } });
    relay.mute(true);
    await node.news('cut');
    await watcher.news('gone', { node: node.facts.node });
    await publisher.publish(numbers(20).map((n) => ['t', n]));
    relay.mute(false);
    const back = await node.news('back');
    assert.equal(back.node, node.facts.node);
    assert.deepEqual(node.events(), numbers(20).map((n) => `t:${n}`));
    const order = node.lines.map(({ news, e }) => news ?? e);
    assert.ok(order.lastIndexOf('19') < order.indexOf('back'));
  });
});

describe('a Redis that comes back', () => {
  let scene;
  afterEach(() => scene?.stop());

  const lease = { bus: { lease: '2s' } };

  test('with all on its disk: ids go on, what was acknowledged is there once', async () => {
    scene = await Scene.start('bus-aof', ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']);
    const nodes = [await scene.node(lease), await scene.node(lease)];
    const publisher = await scene.publisher(lease);
    const acknowledged = [];
    for (let round = 0; round < 3; round++) {
      const restarted = scene.restartRedis();
      for (let i = 0; i < 20; i++) {
        const text = `${round}.${i}`;
        const answer = await publisher.publish([['t', text]]);
        assert.equal(answer.good, true, answer.trouble);
        acknowledged.push(`t:${text}`);
      }
      await restarted;
    }
    for (const node of nodes) {
      await node.find(({ e }) => e === '2.19', 'the last');
      assert.deepEqual(node.events(), acknowledged);
      assert.equal(node.lines.some(({ news }) => news === 'epoch'), false);
    }
  });

  test('without its newest events: ids begin anew, whoever has seen how much', async () => {
    scene = await Scene.start('bus-lost', ['--save', '']);
    const nodes = [await scene.node(lease), await scene.node(lease)];
    const publisher = await scene.publisher(lease);
    await publisher.publish([['t', 1], ['t', 2]]);
    await scene.redis.cli('SAVE');
    const { events } = await publisher.publish([['t', 3]]);
    await Promise.all(nodes.map((node) => node.find(({ e }) => e === '3', 'the third')));
    await scene.restartRedis();
    const answer = await publisher.publish([['t', 4]]);
    assert.equal(answer.good, true, answer.trouble);
    const [before, then] = [events, answer.events].map(([{ id }]) => id.split('-').map(Number));
    assert.ok(then[0] > before[0]);
    assert.ok(then[1] > before[1]); // places of last values stay in order
    for (const node of nodes) {
      const { epoch } = await node.news('epoch');
      assert.equal(epoch, then[0]);
      await node.find(({ e }) => e === '4', 'the fourth');
      assert.deepEqual(node.events(), ['t:1', 't:2', 't:3', 't:4']);
    }
  });

  test('as another one, while a node still reads from the one before: what that has seen counts', async (t) => {
    scene = await Scene.start('bus-two', ['--save', '']);
    const relay = await scene.relay();
    const node = await scene.node({ ...LEASE, redis: { url: `unix:${relay.path}`, time_limit: '1m' } });
    const publisher = await scene.publisher({ bus: { ...LEASE.bus, receivers_time: '50ms' } });
    const { events: [first] } = await publisher.publish([['t', 'first']]);
    await node.find(({ e }) => e === 'first', 'the first');
    await scene.redis.cli('SAVE');
    const folder = path.join(scene.folder, 'other');
    fs.mkdirSync(folder);
    const other = await Redis.start(folder, { words: ['--dir', scene.redis.folder] });
    t.after(() => other.stop());
    relay.hold('XREAD');
    await until('its reader is held', () => relay.holds);
    await publisher.publish([['t', 'second']]);

    const record = () => other.cli('HGET', 'esn:nodes', String(node.facts.node));
    const [before, agreed] = [await record(), await other.cli('GET', 'esn:run')];
    relay.leadTo(other.socket);
    await until('it has come to the other one', async () => (await record()) !== before);
    assert.equal(await other.cli('GET', 'esn:run'), agreed, 'nobody has agreed on it yet');
    relay.release();
    const { epoch } = await node.news('epoch');
    assert.ok(epoch > Number(first.id.split('-')[0]));
    const late = await scene.publisher({ ...LEASE, redis: { url: other.url } });
    await late.publish([['t', 'third']]);
    await node.find(({ e }) => e === 'third', 'the third');
    assert.deepEqual(node.events(), ['t:first', 't:second', 't:third']);
  });

  test('as another one, while the line for notes still leads to the one before: notes are heard there too', async (t) => {
    scene = await Scene.start('bus-notes', ['--save', '']);
    const relay = await scene.relay();
    const node = await scene.node({ ...LEASE, redis: { url: `unix:${relay.path}` } });
    await scene.redis.cli('SAVE');
    const folder = path.join(scene.folder, 'other');
    fs.mkdirSync(folder);
    const other = await Redis.start(folder, { words: ['--dir', scene.redis.folder] });
    t.after(() => other.stop());
    relay.leadTo(other.socket, ({ subscribes }) => subscribes);
    const late = await scene.node({ ...LEASE, redis: { url: other.url } });
    await node.news('came', { node: late.facts.node });
    late.say('note hello');
    const isOfIt = (line) => line.node === late.facts.node && ['note', 'missed'].includes(line.news);
    assert.equal((await node.find(isOfIt, 'what it has heard')).text, 'hello');
  });

  test('with nothing at all: ids begin anew, and secrets of streams stay', async () => {
    scene = await Scene.start('bus-empty', ['--save', '']);
    const node = await scene.node(lease);
    const publisher = await scene.publisher(lease);
    await publisher.publish([['t', 1]]);
    await scene.restartRedis();
    assert.equal((await publisher.publish([['t', 2]])).good, true);
    await node.news('epoch');
    const other = await scene.node(lease);
    assert.equal(other.facts.key, node.facts.key);
  });

  test('while a node is gone that may have seen more: ids begin anew, unless all was on the disk', async () => {
    for (const [words, isNew] of [
      [['--appendfsync', 'everysec'], true],
      [['--appendfsync', 'always'], false],
    ]) {
      scene = await Scene.start('bus-gone', ['--save', '', '--appendonly', 'yes', ...words]);
      const [node, dies] = [await scene.node(lease), await scene.node(lease)];
      await node.news('came', { node: dies.facts.node });
      const publisher = await scene.publisher({ bus: { ...lease.bus, receivers_time: '50ms' } });
      await publisher.publish([['t', 1]]);
      await until('it is on the disk', async () => (await scene.redis.cli('INFO', 'persistence')).includes('aof_pending_bio_fsync:0'));
      await dies.kill();
      await scene.restartRedis();
      const answer = await publisher.publish([['t', 2]]);
      assert.equal(answer.good, true, answer.trouble);
      await node.find(({ e }) => e === '2', 'the second');
      assert.equal(node.lines.some(({ news }) => news === 'epoch'), isNew, words.join(' '));
      await scene.stop();
    }
  });

  test('after all daemons took their leave: ids go on', async () => {
    scene = await Scene.start('bus-leave', ['--save', '', '--appendonly', 'yes']);
    const node = await scene.node(lease);
    const publisher = await scene.publisher(lease);
    const { events } = await publisher.publish([['t', 1]]);
    await node.leave();
    await scene.redis.program.end('SIGTERM');
    await scene.redis.start();
    const next = await scene.node(lease);
    assert.match(next.program.output(), /all daemons have agreed on this Redis/);
    assert.equal(`${next.facts.epoch}-${next.facts.sequence}`, events[0].id);
    await next.news('window');
    assert.deepEqual(next.events({ past: true }), ['t:1']);
  });

  test('a post while it is away is refused in time, and says why', async () => {
    scene = await Scene.start('bus-away', ['--save', '']);
    await scene.node(lease);
    const publisher = await scene.publisher(lease);
    await scene.redis.program.end('SIGKILL');
    const answer = await publisher.publish([['t', 1]], { limit: 200 });
    assert.deepEqual([answer.good, answer.events[0].acknowledged], [false, false]);
    assert.match(answer.trouble, /redis\.sock|connection is lost/);
  });

  test('while it is away for longer than a lease, no daemon counts itself or another as gone', async () => {
    scene = await Scene.start('bus-long', ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']);
    const nodes = [await scene.node(LEASE), await scene.node(LEASE)];
    await nodes[0].news('came', { node: nodes[1].facts.node });
    const publisher = await scene.publisher(LEASE);
    await scene.redis.program.end('SIGKILL');
    const answer = await publisher.publish([['t', 'refused']], LONGER);
    assert.equal(answer.good, false);
    await scene.redis.start();
    await until('it is known to be back', async () => (await publisher.publish([['t', 'then']])).good);
    for (const node of nodes) {
      await node.find(({ e }) => e === 'then', 'what comes then');
      assert.deepEqual(troubleOf(node), []);
    }
  });

  test('a daemon waits for it at its start, and gives up with a reason', async () => {
    scene = await Scene.start('bus-start', ['--save', '']);
    await scene.redis.program.end('SIGKILL');
    const config = (start_time) => ({ bus: { ...PATIENT, start_time }, redis: { url: scene.redis.url } });
    const hopeless = await BusPeer.start(scene.folder, 'node', config('1s'));
    assert.equal(await hopeless.program.ended, 1);
    assert.match(hopeless.program.output(), /Redis does not answer: .*redis\.sock/);
    const patient = await BusPeer.start(scene.folder, 'node', config('10m'));
    scene.peers.push(patient);
    await patient.program.untilLog(/Redis, which carries events, does not answer/);
    await scene.redis.start();
    await patient.news('window');
  });
});
