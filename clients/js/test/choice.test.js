import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChoice } from '../src/choice.js';
import { AGAIN, DOWN, MUTE, REFUSED, UNFIT, failure } from '../src/failure.js';

const names = ['ws', 'frames', 'sse', 'poll'];
const choiceOf = (more) => createChoice({ names, patience: 600, backoff: 1000, maxBackoff: 30_000, ...more });
const failed = (kind, more) => ({ _why: failure(kind, '', more) });

test('after a round in which all were mute or closed it waits, with more patience', () => {
  const choice = choiceOf();
  assert.deepEqual(choice._order(), names);
  assert.equal(choice._patience(), 600);
  assert.ok(choice._after(failed(MUTE)) <= 1000);
  assert.equal(choice._patience(), 1200);
  for (let i = 0; i < 10; i++) choice._after(failed(UNFIT));
  assert.equal(choice._patience(), 15_000);
  assert.equal(choice._limit(), 30_000);
});

test('what has worked comes first, and is trusted for longer; when it fails that is over', () => {
  const choice = choiceOf();
  choice._worked('frames', 1000);
  assert.deepEqual(choice._order(), ['frames', 'ws', 'sse', 'poll']);
  assert.equal(choice._isProven(), true);
  assert.equal(choice._patience(), 4000);
  choice._after(failed(UNFIT));
  assert.equal(choice._isProven(), false);
  assert.deepEqual([choice._order()[0], choice._patience()], ['frames', 600]);
});

test('what worked on the page before is tried first, if it is to be used at all', () => {
  assert.equal(choiceOf({ remembered: 'poll' })._order()[0], 'poll');
  assert.equal(choiceOf({ remembered: 'pigeon' })._order()[0], 'ws');
});

test('waiting is spread over all of a time that doubles up to its limit', () => {
  const waits = Array.from({ length: 1000 }, () => {
    const choice = choiceOf();
    return Array.from({ length: 8 }, () => choice._after(failed(DOWN)));
  });
  [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000].forEach((limit, round) => {
    const sorted = waits.map((of) => of[round]).sort((a, b) => a - b);
    assert.ok(sorted[0] >= 0 && sorted[0] < limit / 10, `smallest of round ${round}: ${sorted[0]}`);
    assert.ok(sorted.at(-1) <= limit && sorted.at(-1) > 0.9 * limit, `largest of round ${round}: ${sorted.at(-1)}`);
    const middle = sorted[500];
    assert.ok(middle > 0.4 * limit && middle < 0.6 * limit, `middle of round ${round}: ${middle}`);
  });
});

test('what the other side asks for is kept to', () => {
  const choice = choiceOf();
  assert.equal(choice._after({ _lasted: 5, _hint: 3217 }), 3217);
  for (let i = 0; i < 100; i++) {
    const wait = choiceOf()._after(failed(DOWN, { wait: 5000 }));
    assert.ok(wait >= 5000 && wait <= 6000);
  }
});

test('after a clean end it goes on at once, unless it ended as soon as it had begun', () => {
  const choice = choiceOf();
  assert.equal(choice._after({ _lasted: 60_000 }), undefined);
  assert.notEqual(choice._after({ _lasted: 10 }), undefined);
});

test('a connection that lasted makes up for failures before', () => {
  const choice = choiceOf();
  for (let i = 0; i < 10; i++) choice._after(failed(DOWN));
  assert.ok(choice._after({ _why: failure(DOWN, ''), _lasted: 60_000 }) <= 1000);
});

test('what the client itself wants needs no waiting; what the broker refuses does', () => {
  assert.equal(choiceOf()._after(failed(AGAIN)), undefined);
  const choice = choiceOf();
  assert.ok(choice._after(failed(REFUSED)) >= 0);
});
