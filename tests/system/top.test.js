'use strict';

// esnctl top, and what /state says for it: busiest topics, slowest streams, rates.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

describe('esnctl top', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('top', { handlers: 1, config: { fanout: { send_buffer: '8k' } } });
  });
  after(() => stack?.stop());

  const top = (...words) => run([programs.esnctl, 'top', ...words], { env: { ESN_CONF: stack.file } });

  test('shows streams, rates and the busiest topics', async () => {
    const client = await stack.subscribe(['busy/#']);
    const shown = top('--times', '2');
    await until('events are published while it looks', async () => {
      await stack.publish('busy/\u009b31mred', 'x');
      const { busiest_topics: topics } = await stack.look('/state');
      return topics.find(({ topic }) => topic.startsWith('busy/'))?.rate > 0;
    });
    const { code, stdout, stderr } = await shown;
    assert.equal(code, 0, stderr);
    const after = (await top('--times', '1')).stdout;
    assert.match(stdout, /^esn-fanout \S+, up 0d 00:\d\d:\d\d, longest turn of a minute [\d.]+ ms$/m);
    assert.match(stdout, /^streams 1 {2}frames 1$/m);
    assert.match(after, /^busy\/\?31mred +[\d.]+ +1$/m, 'no escape of a topic comes to the terminal');
    assert.doesNotMatch(after, /\u009b|\u001b/);
    await client.close();
  });

  test('/state lists who has waited longest, and how much waits', async () => {
    const slow = await stack.subscribe(['slow']);
    slow.pause();
    const one = await until('it is slow', async () => {
      await stack.publish('slow', 'x', 'x'.repeat(200_000));
      const [slowest] = (await stack.look('/state')).slowest_streams;
      return slowest?.pending_bytes > 600_000 && slowest; // more than any buffer on the way takes
    });
    assert.equal(one.connid, slow.connid);
    assert.ok(one.ms >= 0);
    assert.match((await top('--times', '1')).stdout, new RegExp(`^${slow.connid} +\\d+ +[\\d.]+ +127\\.0\\.0\\.1$`, 'm'));
    await slow.close();
    await until('it is gone', async () => (await stack.look('/state')).slowest_streams.length === 0);
  });

  test('says what is wrong', async () => {
    for (const [words, code, pattern] of [
      [['--every', '0'], 2, /--every should be 1 to 3600 seconds/],
      [['--times', 'x'], 2, /--times should be a number/],
      [['now'], 2, /takes no argument: now/],
      [['--url', 'http://127.0.0.1:1'], 1, /esnctl: /],
    ]) {
      const ended = await top(...words);
      assert.equal(ended.code, code, words.join(' '));
      assert.match(ended.stderr, pattern);
    }
  });
});
