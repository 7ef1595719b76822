import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChoice } from '../src/choice.js';
import { AGAIN, DOWN, MUTE, REFUSED, STOPPED, UNFIT, failure } from '../src/failure.js';

const names = ['ws', 'frames', 'sse', 'poll'];
const choiceOf = (more) => createChoice({ names, patience: 600, backoff: 1000, maxBackoff: 30_000, ...more });
const failed = (kind, more) => ({ why: failure(kind, '', more) });

test('what is mute or closed is followed by the next at once; after the last one it waits, with more patience', () => {
  const choice = choiceOf();
  const tried = [];
  for (const kind of [UNFIT, MUTE, MUTE]) {
    tried.push(choice.name);
    assert.equal(choice.after(failed(kind)), undefined);
  }
  tried.push(choice.name);
  assert.deepEqual(tried, names);
  assert.equal(choice.patience, 600);
  assert.ok(choice.after(failed(MUTE)) <= 1000);
  assert.equal(choice.name, 'ws');
  assert.equal(choice.patience, 1200);
});

test('what has worked comes first, and gets a second chance', () => {
  const choice = choiceOf();
  choice.after(failed(UNFIT));
  choice.worked();
  assert.equal(choice.name, 'frames');
  assert.notEqual(choice.after(failed(UNFIT)), undefined);
  assert.equal(choice.name, 'frames');
  assert.equal(choice.after(failed(UNFIT)), undefined);
  assert.equal(choice.name, 'ws');
});

test('what worked on the page before is tried first, if it is to be used at all', () => {
  assert.equal(choiceOf({ remembered: 'poll' }).name, 'poll');
  assert.equal(choiceOf({ remembered: 'pigeon' }).name, 'ws');
});

test('when nobody is there, the others are not tried', () => {
  const choice = choiceOf();
  choice.after(failed(UNFIT));
  assert.ok(choice.after(failed(DOWN)) <= 1000);
  assert.equal(choice.name, 'ws');
});

test('waiting is spread over all of a time that doubles up to its limit', () => {
  const waits = Array.from({ length: 1000 }, () => {
    const choice = choiceOf();
    return Array.from({ length: 8 }, () => choice.after(failed(DOWN)));
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
  assert.equal(choice.after({ lasted: 5, hint: 3217 }), 3217);
  for (let i = 0; i < 100; i++) {
    const wait = choiceOf().after(failed(DOWN, { wait: 5000 }));
    assert.ok(wait >= 5000 && wait <= 6000);
  }
});

test('after a clean end it goes on at once, unless it ended as soon as it had begun', () => {
  const choice = choiceOf();
  assert.equal(choice.after({ lasted: 60_000 }), undefined);
  assert.notEqual(choice.after({ lasted: 10 }), undefined);
});

test('a connection that lasted makes up for failures before', () => {
  const choice = choiceOf();
  for (let i = 0; i < 10; i++) choice.after(failed(DOWN));
  assert.ok(choice.after({ why: failure(DOWN, ''), lasted: 60_000 }) <= 1000);
});

test('what the client itself wants needs no waiting; what the broker refuses does', () => {
  assert.equal(choiceOf().after(failed(AGAIN)), undefined);
  assert.equal(choiceOf().after(failed(STOPPED)), undefined);
  const choice = choiceOf();
  assert.ok(choice.after(failed(REFUSED)) >= 0);
  assert.equal(choice.name, 'ws');
});
