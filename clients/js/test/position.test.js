import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPosition } from '../src/position.js';

const frame = (id, requested = 'a', emitted = requested) => ({ id, ep: { requested, emitted } });

test('an event is new once for each requested topic', () => {
  const position = createPosition();
  assert.equal(position._take(frame('1-5', 'a')), true);
  assert.equal(position._take(frame('1-5', 'a/#', 'a')), true);
  assert.equal(position._take(frame('1-5', 'a')), false);
  assert.equal(position._take(frame('1-4', 'b')), false);
  assert.equal(position._take(frame('1-6', 'a')), true);
});

test('numbers are compared as numbers', () => {
  const position = createPosition('1-9');
  assert.equal(position._take(frame('1-10')), true);
});

test('a log that was begun anew begins anew here', () => {
  const position = createPosition('1-9');
  assert.equal(position._take(frame('2-1')), true);
  position._begin('3-0');
  assert.equal(position._last(), '3-0');
});

test('of one place in the log that is newer which has more of the last values', () => {
  const position = createPosition();
  position._begin('1-7-0');
  position._mark('1-7-5');
  assert.equal(position._resume(2), '1-7-5');
  position._mark('1-7');
  position._mark('1-6-6');
  assert.equal(position._last(), '1-7');
  assert.equal(position._take(frame('1-8')), true);
});

test('last values are asked for with a topic that is new, and again when they were to come and did not', () => {
  const position = createPosition();
  assert.equal(position._resume(1, true), undefined);
  position._begin('1-7-0');
  assert.equal(position._resume(1, false, '1-7-0'), '1-7-0');
  position._mark('1-7-5');
  assert.equal(position._resume(1, false, '1-7-5'), '1-7-5', 'a poll goes on where it was');
  assert.equal(position._resume(1, true, '1-7-5'), '1-7-0', 'but for a topic that is new');
  position._take(frame('1-8'));
  assert.equal(position._resume(1, false, '1-8'), '1-8');
  assert.equal(position._resume(2, true, '1-8'), '1-7-0');
  assert.equal(position._resume(1, false, '1-8-0'), '1-8-0', 'of a connection that was cut before they had come');
  position._begin('1-7-0');
  assert.equal(position._take(frame('1-8')), false, 'what was heard is known after that');
});

test('a position of another log, or none, is begun anew', () => {
  for (const last of [undefined, null, '9-3']) {
    const position = createPosition(last);
    position._begin('1-7-0');
    assert.equal(position._last(), '1-7-0');
  }
});

test('presence has no ids of its own', () => {
  const position = createPosition('1-9');
  assert.equal(position._take(frame('1-9', '@CONNECTION@/x')), true);
  assert.equal(position._take(frame('1-9', '@CONNECTION@/x')), true);
  assert.equal(position._last(), '1-9');
});

test('with several topics it resumes before an event that may not have come for all of them', () => {
  const position = createPosition();
  assert.equal(position._resume(2), undefined);
  position._begin('1-4');
  assert.equal(position._resume(2), '1-4');
  position._take(frame('1-6', 'a'));
  assert.equal(position._resume(1), '1-6');
  assert.equal(position._resume(2), '1-5');
  position._begin('1-5');
  assert.equal(position._take(frame('1-6', 'a')), false);
  assert.equal(position._take(frame('1-6', 'a/#', 'a')), true);
  position._mark('1-6');
  assert.equal(position._resume(2), '1-6');
});
