'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, beforeEach, describe, test } = require('node:test');
const { runCgi } = require('./lib/cgi');
const { Stack } = require('./lib/stack');

const SUBSCRIBERS = 50;

/** For each subscriber: every publisher's numbers in order, each once. */
function assertAll(subscribers, publishers, each) {
  const expected = Array.from({ length: each }, (_, i) => i);
  for (const [index, subscriber] of subscribers.entries()) {
    const got = Array.from({ length: publishers }, () => []);
    for (const { json } of subscriber.frames) {
      got[json.e.detail.publisher].push(json.e.detail.number);
    }
    for (const [publisher, numbers] of got.entries()) {
      const same = numbers.length === each && numbers.every((number, i) => number === expected[i]);
      assert.ok(same, `subscriber ${index}, publisher ${publisher}: ${numbers.length} events, ${firstFault(numbers)}`);
    }
  }
}

function firstFault(numbers) {
  const at = numbers.findIndex((number, i) => number !== i);
  return at < 0 ? 'in order' : `at ${at} comes ${numbers.slice(at, at + 5)}`;
}

describe('many publishers and many subscribers', () => {
  let stack;
  let subscribers;
  before(async () => {
    stack = await Stack.start('order', { handlers: 2, workers: 4, config: { publish: { time_limit: '60s' }, messages: { level: 'info' } } });
    subscribers = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, (_, i) => stack.subscribe([['a/b', 'a/+', '#'][i % 3]])),
    );
  });
  beforeEach(() => {
    for (const subscriber of subscribers) {
      subscriber.frames.length = 0; // connected, or of the test before
    }
  });
  after(async () => {
    await Promise.all((subscribers ?? []).map((subscriber) => subscriber.close()));
    await stack?.stop();
  });

  async function untilEach(count) {
    await Promise.all(
      subscribers.map((subscriber) => subscriber.until(`${count} events`, () => subscriber.frames.length >= count)),
    );
  }

  test('8 publishers, 10,000 events through nginx: every subscriber has each once and in order', async () => {
    const publishers = 8;
    const each = 1250;
    const agent = new http.Agent({ keepAlive: true, maxSockets: publishers });
    await Promise.all(
      Array.from({ length: publishers }, async (_, publisher) => {
        for (let number = 0; number < each; number++) {
          const answer = await stack.post({ ep: ['a/b'], e: { type: 'n', detail: { publisher, number } } }, { agent });
          assert.equal(answer.status, 200, answer.text);
          assert.equal(answer.json.receivers, SUBSCRIBERS);
        }
      }),
    );
    agent.destroy();
    await untilEach(publishers * each);
    assertAll(subscribers, publishers, each);
  });

  test('100 runs as plain CGI, ten at a time, likewise', async () => {
    const publishers = 10;
    const each = 10;
    await Promise.all(
      Array.from({ length: publishers }, async (_, publisher) => {
        for (let number = 0; number < each; number++) {
          const answer = await runCgi(stack.file, {
            query: `token=${stack.publishToken}`,
            body: JSON.stringify({ ep: ['a/b'], e: { type: 'n', detail: { publisher, number } } }),
          });
          assert.equal(answer.status, 200, answer.text + answer.stderr);
          assert.equal(answer.json.receivers, SUBSCRIBERS);
        }
      }),
    );
    await untilEach(publishers * each);
    assertAll(subscribers, publishers, each);
  });
});
