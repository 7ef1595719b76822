'use strict';

// esnctl emit --lines: a batch from standard input, as it comes; and --report.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { Program, run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { takeUntil } = require('./lib/two-way');
const { WebSocketPeer } = require('./lib/websocket');

const post = (detail, more = {}) => JSON.stringify({ ep: ['a'], e: { type: 'x', detail }, ...more });
const count = (n) => Array.from({ length: n }, (_, i) => i);

describe('esnctl emit --lines', () => {
  let stack;
  let ways;
  before(async () => {
    stack = await Stack.start('esnctl-lines', { handlers: 1, config: { publish: { max_body: '20k' } } });
    ways = [['on the bus', []], ['by HTTP', ['--url', `${stack.webUrl}/notify/`]]];
  });
  after(() => stack?.stop());

  const esnctl = (words, input) => run([programs.esnctl, 'emit', ...words], { env: { ESN_CONF: stack.file }, input });

  async function details(client) {
    const [frames] = await stack.drain('sentinel', client);
    return frames.filter(({ json }) => json.e.type === 'x').map(({ json }) => json.e.detail);
  }

  test('each line is answered with its number, and all arrive in their order', async () => {
    for (const [how, words] of ways) {
      const client = await stack.subscribe(['#']);
      const lines = [post(0), '', post(1, { id: `one ${how}` }), '{', '  ', post(2), '{"ep":[],"e":{"type":"x"}}', post(1, { id: `one ${how}` }), post(3)];
      const end = await esnctl(['--lines', ...words], lines.join('\n'));
      assert.equal(end.code, 1, `${how}: ${end.stderr}`);
      assert.match(end.stdout, /^line 1: sent to 1 stream, id \d+-\d+\nline 3: sent to 1 stream, id (\S+)\nline 6: [^\n]+\nline 8: sent to 1 stream, id \1\nline 9: [^\n]+\n$/, how);
      assert.match(end.stderr, /^esnctl: line 4: 400 Invalid JSON in body: [^\n]+\nesnctl: line 7: 400 Event Point missing: the array is empty\n$/, how);
      assert.deepEqual(await details(client), [0, 1, 2, 3], how);
      await client.close();
    }
  });

  test('thousands keep their order, also where some are too long', async () => {
    for (const [how, words] of ways) {
      const client = await stack.subscribe(['#']);
      const lines = count(1500).map((i) => post(i));
      lines.splice(700, 0, post('y'.repeat(30_000)), post('z'.repeat(200_000)));
      const end = await esnctl(['--lines', '--json', ...words], `${lines.join('\n')}\n`);
      assert.equal(end.code, 1, how);
      assert.equal(end.stderr, '', how);
      const answers = end.stdout.trim().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(answers.map(({ line }) => line), count(1502).map((i) => i + 1), how);
      const others = answers.filter(({ status }) => status !== 200).map(({ line, status, error }) => [line, status, error]);
      assert.deepEqual(others, [[701, 413, 'Payload Too Large'], [702, 413, 'Payload Too Large']], how);
      assert.equal(answers[0].ep[0].result, 'sent', how);
      assert.deepEqual(await details(client), count(1500), how);
      await client.close();
    }
  });

  test('a line is published when it comes, not when there is a heap of them', async () => {
    for (const [how, words] of ways) {
      const client = await stack.subscribe(['#']);
      const program = new Program('lines', [programs.esnctl, 'emit', '--lines', ...words], {
        log: path.join(stack.folder, `lines-${words.length}.log`), env: { ESN_CONF: stack.file }, stdin: 'pipe',
      });
      const [half, rest] = [post('in two pieces').slice(0, 9), post('in two pieces').slice(9)];
      program.stdin.write(`${post(0)}\n${half}`);
      await program.until(`the first is answered, ${how}`, () => program.output().includes('line 1: sent to 1 stream'));
      program.stdin.write(`${rest}\n`);
      await program.until(`the second is answered, ${how}`, () => program.output().includes('line 2: sent to 1 stream'));
      program.stdin.end();
      assert.equal(await program.ended, 0, program.output());
      assert.deepEqual(await details(client), [0, 'in two pieces']);
      await client.close();
    }
  });

  test('private topics and users are reached, as by POST /event', async () => {
    for (const [how, words] of ways) {
      const lines = [post(1, { ep: [{ topic: 'a', private: true }, { topic: 'b', to: ['ana'] }, 'c'] }), post(2, { ep: ['@SERVER@/x'] })];
      const end = await esnctl(['--lines', '--json', ...words], lines.join('\n'));
      const [first, second] = end.stdout.trim().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(first.ep.map(({ result }) => result), ['sent', 'sent', 'sent'], how);
      assert.deepEqual([second.line, second.status, second.error], [2, 403, 'Reserved topic'], how);
    }
  });

  test('where nothing is taken any more it ends, and says where', async () => {
    const other = await Stack.start('esnctl-lines-down', { handlers: 1, config: { publish: { time_limit: '200ms' } } });
    try {
      await other.endTaking();
      const input = count(500).map((i) => post(i)).join('\n');
      for (const words of [[], ['--url', `${other.webUrl}/notify/`]]) {
        const end = await run([programs.esnctl, 'emit', '--lines', ...words], { env: { ESN_CONF: other.file }, input });
        assert.equal(end.code, 1);
        assert.equal(end.stdout, '');
        assert.match(end.stderr, /esnctl: line 1: 503 .*acknowledge/);
        assert.match(end.stderr, /esnctl: nothing is taken any more: stopped after line 64\n$/);
      }
      const gone = await run([programs.esnctl, 'emit', '--lines', '--url', 'http://127.0.0.1:1/event', '--token', 'x'], { env: { ESN_CONF: other.file }, input });
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /esnctl: nothing is known of lines 1 to 64\n$/);
    } finally {
      await other.stop();
    }
  });

  test('a wrong token, and what does not go with --lines, are said', async () => {
    const stranger = await esnctl(['--lines', '--url', `${stack.webUrl}/notify/`, '--token', 'wrong'], post(1));
    assert.deepEqual([stranger.code, stranger.stdout], [1, '']);
    assert.match(stranger.stderr, /404/);
    for (const words of [['--lines', 'a', 'x'], ['--lines', '--keep'], ['--lines', '--report'], ['--lines', '--id', 'x']]) {
      const end = await esnctl(words, post(1));
      assert.equal(end.code, 2, words.join(' '));
    }
    const nothing = await esnctl(['--lines'], '\n\n');
    assert.deepEqual([nothing.code, nothing.stdout, nothing.stderr], [0, '', '']);
  });

  test('--report waits until all had it, and prints who had', async () => {
    for (const [how, words] of ways) {
      const client = await WebSocketPeer.open(stack.port, '/ws?ep=orders/1&clid=page&report=true');
      const event = esnctl(['--report', ...words, 'orders/1', 'paid']);
      const [frame] = await takeUntil(client, 'paid');
      await client.say({ had: frame.id });
      const end = await event;
      assert.equal(end.code, 0, end.stderr);
      assert.match(end.stdout, /^sent to 1 stream, id \S+\nsent 1, had 1, missing 0\n$/, how);
      client.destroy();
      await stack.untilTotal(0);
    }
    const silent = await WebSocketPeer.open(stack.port, '/ws?ep=orders/1&clid=page&report=true');
    const json = JSON.parse((await esnctl(['--report', '--json', 'orders/1', 'paid'])).stdout);
    assert.deepEqual([json.sent, json.had, json.missing.length, json.missing[0].clid], [1, 0, 1, 'page']);
    silent.destroy();
    await stack.untilTotal(0);
  });
});
