'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Stack } = require('./lib/stack');
const { pause, until } = require('./lib/wait');

const BURST = 5;
const RATE = 1;
const MUCH = 200;

/** What can have grown back since, as the daemon's clock counts. */
const grownSince = (begun) => Math.ceil(((Date.now() - begun) / 1000) * RATE) + 1;
const topics = (count) => Array.from({ length: count }, (_, i) => `many/${i}`);

/**
 * 503 says that an event was brought to the daemon twice, since it was not answered within 30 ms, and limited the second time: whether the
 * first was taken nobody knows. Posts anew, attempt after attempt, when all has grown back.
 */
async function untilSure(post) {
  for (let attempt = 0; ; attempt++) {
    const answer = await post(attempt);
    if (answer.status !== 503) {
      return answer;
    }
    await pause((BURST / RATE + 1) * 1000);
  }
}
const results = (answer, result) => answer.json.ep.filter((point) => point.result === result);

describe('a token that publishes too much', () => {
  let stack;
  before(async () => {
    // Each test has a token of its own.
    stack = await Stack.start('rate', { handlers: 2, config: { publish: { rate: RATE, burst: BURST } } });
    const tokens = ['first', 'second', 'third', 'fourth', 'fifth'];
    stack.writeTokens('publish.token', [stack.publishToken, ...tokens]);
    stack.handlers.forEach((handler) => handler.signal('SIGHUP'));
    await until('every worker knows the tokens', async () => {
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) => stack.post('{', { token: 'fifth', handler: i % 2, agent: false })),
      );
      return answers.every((answer) => answer.status === 400);
    });
  });
  after(() => stack?.stop());

  test('is answered 429 with what was sent and what was not', async () => {
    const subscriber = await stack.subscribe(['many/#']);
    let begun, type;
    const answer = await untilSure((attempt) => {
      [begun, type] = [Date.now(), `x${attempt}`];
      return stack.post({ ep: topics(MUCH), e: { type } }, { token: 'first' });
    });
    const grown = grownSince(begun);
    assert.equal(answer.status, 429);
    assert.equal(answer.reason, 'Too Many Requests');
    assert.ok(Number(answer.headers['retry-after']) >= 1 && Number(answer.headers['retry-after']) <= 2);
    assert.equal(answer.json.error, 'Too many events');
    const sent = results(answer, 'sent');
    assert.ok(sent.length >= BURST && sent.length <= BURST + grown, `${sent.length} sent`);
    assert.equal(sent.length + results(answer, 'too many events').length, MUCH);

    const last = await until('one more may pass', async () => {
      const one = await stack.post({ ep: ['many/last'], e: { type: 'last' } }, { token: 'first' });
      assert.ok([200, 429, 503].includes(one.status));
      return one.status === 200 && one;
    });
    assert.equal(last.json.receivers, 1);
    const frames = await subscriber.takeUntil('last');
    const emitted = frames.filter((frame) => frame.json.e.type === type).map((frame) => frame.json.ep.emitted);
    assert.deepEqual(emitted, sent.map((point) => point.topic), 'exactly what was said to be sent');
    await subscriber.close();
  });

  test('is limited through all handlers together', async () => {
    const begun = Date.now();
    const answers = await Promise.all(
      [0, 1].map((handler) => stack.post({ ep: topics(MUCH), e: { type: 'x' } }, { token: 'second', handler })),
    );
    const grown = grownSince(begun);
    const sent = answers.flatMap((answer) => results(answer, 'sent'));
    assert.ok(sent.length >= BURST && sent.length <= BURST + grown, `${sent.length} sent`);
  });

  test('does not limit another one, however it is given', async () => {
    const query = await stack.post({ ep: topics(BURST), e: { type: 'x' } }, { token: 'third' });
    assert.equal(query.status, 200);
    const headers = { Authorization: 'Bearer third' };
    const bearer = await untilSure(() => stack.post({ ep: topics(MUCH), e: { type: 'x' } }, { token: null, headers }));
    assert.equal(bearer.status, 429, 'the same token in a header');
  });

  test('pays nothing for what comes a second time', async () => {
    const body = { ep: topics(BURST), e: { type: 'x' }, id: 'once' };
    for (let i = 0; i < 40; i++) {
      const answer = await stack.post(body, { token: 'fourth' });
      assert.equal(answer.status, 200, answer.text);
    }
  });

  test('has the rest sent when it posts again with the same id', async () => {
    const body = { ep: topics(BURST + 2), e: { type: 'x' }, id: 'again' };
    const subscriber = await stack.subscribe(['many/#']);
    await until('all is sent', async () => (await stack.post(body, { token: 'fifth' })).status === 200);
    const [frames] = await stack.drain('many/end', subscriber);
    const events = frames.filter((frame) => frame.json.e.type === 'x');
    assert.deepEqual(events.map((frame) => frame.json.ep.emitted), body.ep, 'each once');
    await subscriber.close();
  });
});

test('a token that published too much is counted, and no longer limited when the key is taken away', async () => {
  const stack = await Stack.start('rate-ends', { handlers: 2, config: { publish: { rate: RATE, burst: BURST } } });
  try {
    const post = async () => (await stack.post({ ep: topics(MUCH), e: { type: 'x' } })).status;
    await until('it is limited', async () => (await post()) === 429);
    // With Redis the handler tells the daemon, after its answer.
    await until('that is counted', async () => (await stack.look('/state')).events_limited > 0);
    stack.writeConfig({ publish: { rate: 0 } });
    // The daemon judges, or Redis by what the handlers know.
    [stack.daemon, ...stack.handlers].forEach((program) => program.signal('SIGHUP'));
    await stack.daemon.untilLog(/configuration reloaded/);
    await until('it is limited no more', async () => (await post()) === 200);
  } finally {
    await stack.stop();
  }
});
