'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { runCgi } = require('./lib/cgi');
const { newFolder, programs, tool } = require('./lib/paths');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');

const CYCLES = 2000;
const PARALLEL = 16;
const FOUND_SOMETHING = 99;

/** Command words that run a program so that it ends with FOUND_SOMETHING when it has lost memory. */
const underValgrind = (...options) => [
  tool('valgrind', 'valgrind'),
  '--quiet',
  '--leak-check=full',
  '--errors-for-leak-kinds=definite,indirect',
  '--show-leak-kinds=definite,indirect',
  `--error-exitcode=${FOUND_SOMETHING}`,
  ...options,
];

describe('the daemon under valgrind', () => {
  let stack;
  let report;
  before(async () => {
    report = path.join(newFolder('valgrind'), 'report');
    stack = await Stack.start('leaks', {
      handlers: 1,
      workers: 4,
      wrapper: underValgrind(`--log-file=${report}`),
      // It runs some twenty times slower here.
      config: { publish: { time_limit: '60s', down_time_limit: '60s' }, messages: { level: 'info' } },
    });
  });
  after(() => stack?.stop());

  /** Connect, publish, disconnect, each time in another of the ways in which it is done. */
  async function cycle(index) {
    const topic = `t/${index % 50}`;
    const ep = [topic, 't/+', `own/${index}`, `own/${index}/+/#`, '@CONNECTION@/page'];
    const client = await stack.subscribe({ ep, clid: index % 3 ? 'page' : `page ${index}` });
    if (index % 5 === 0) {
      await refusals();
    }
    const whisper = [{ topic, whisper: client.connid }];
    const answer = await stack.post({ id: index % 7 ? undefined : `id ${index}`, ep: whisper, e: { type: `x ${index}` } });
    assert.equal(answer.status, 200, answer.text);
    await client.takeUntil(`x ${index}`);
    if (index % 11 === 0) {
      const body = JSON.stringify({ connid: client.connid, secret: client.secret });
      assert.equal((await stack.get('/alive', { method: 'POST', body })).status, 200);
    }
    await (index % 2 ? client.close() : client.reset());
  }

  async function refusals() {
    for (const body of ['{', '{"ep":[7]}', '{"ep":["a",{}]}', '{"ep":["a","\\u0000"]}']) {
      assert.equal((await stack.get('/', { method: 'POST', body })).status, 400);
    }
    const half = await RawConnection.open(stack.port);
    await half.write(requestText('POST', '/', { body: '{"ep":["a"]}' }).slice(0, -5));
    half.destroy();
  }

  test(`loses nothing in ${CYCLES} cycles of connect, publish, disconnect`, async () => {
    const watcher = await stack.subscribe({ ep: ['@CONNECTION@/+', 'own/#'], clid: 'watcher' });
    let next = 0;
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        while (next < CYCLES) {
          await cycle(next++);
          watcher.frames.length = 1;
        }
      }),
    );
    for (const target of ['/connections', '/connections?clid=watcher&details=true', '/state', '/memory']) {
      await stack.look(target);
    }
    stack.daemon.signal('SIGHUP');
    await stack.untilTotal(1);
    const code = await stack.daemon.end();
    assert.equal(code, 0, fs.readFileSync(report, 'utf8'));
    assert.equal(fs.readFileSync(report, 'utf8'), '');
    await watcher.ended();
    assert.equal(watcher.endedCleanly, true);
  });
});

describe('esn-subscribe under valgrind', () => {
  let bound;
  before(async () => (bound = await Bound.start()));
  after(() => bound?.stop());

  test('loses nothing when it hands a subscriber over', async () => {
    const env = { REQUEST_URI: '/notify/' };
    const answer = await runCgi(bound.stack.file, { wrapper: underValgrind(), program: programs.subscribe, body: '{"ep":["a"]}', env });
    assert.deepEqual([answer.status, answer.code], [200, 0], answer.stderr);
  });
});
