// What becomes of the page and its machine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchPage } from '../src/page.js';

const HOUR = 3_600_000;

const watch = (hiddenTime = Infinity) => {
  const calls = [];
  const end = watchPage(
    { _probe: (surely) => calls.push(surely ? 'probe surely' : 'probe'), _enter: () => calls.push('enter'), _leave: () => calls.push('leave') },
    hiddenTime,
  );
  return { calls, end };
};

test('a machine that has slept is noticed when it wakes; a timer that is a little late is not', (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const { calls, end } = watch();
  const passHour = () => {
    for (let ms = 0; ms < HOUR; ms += 5000) t.mock.timers.tick(5000);
  };
  passHour();
  assert.deepEqual(calls, []);
  t.mock.timers.setTime(Date.now() + 10_000);
  t.mock.timers.tick(5000);
  assert.deepEqual(calls, []);
  t.mock.timers.setTime(Date.now() + HOUR);
  t.mock.timers.tick(5000);
  assert.deepEqual(calls, ['probe surely']);
  passHour();
  assert.deepEqual(calls, ['probe surely']);
  end();
});

test('a page takes part again when nothing keeps it away any more', (t) => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  const window = new EventTarget();
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] });
  Object.assign(globalThis, { document: page, addEventListener: window.addEventListener.bind(window) });
  const say = (target, type) => target.dispatchEvent(new Event(type));
  try {
    const { calls, end } = watch(1000);
    page.hidden = true;
    say(page, 'visibilitychange');
    t.mock.timers.tick(1000);
    say(page, 'freeze');
    assert.deepEqual(calls, ['leave', 'leave']);
    say(page, 'resume'); // browsers thaw hidden pages now and then
    assert.deepEqual(calls, ['leave', 'leave']);
    page.hidden = false;
    say(page, 'visibilitychange');
    assert.deepEqual(calls, ['leave', 'leave', 'enter', 'probe']);
    say(window, 'pagehide');
    say(window, 'pageshow');
    assert.deepEqual(calls.slice(4), ['leave', 'enter']);
    end();
    say(window, 'pagehide');
    assert.equal(calls.length, 6);
  } finally {
    delete globalThis.document;
    delete globalThis.addEventListener;
  }
});
