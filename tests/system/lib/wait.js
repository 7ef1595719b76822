'use strict';

// Generous: it ends a test that would hang, it never decides one.
const LIMIT_MS = 150_000;

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until condition() gives something true (a promise is awaited) and returns that. */
async function until(what, condition, limit = LIMIT_MS) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) {
        return value;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${limit} ms in vain until ${what}`, { cause: last });
    }
    await pause(10);
  }
}

/** Ends a promise that would never end with an error that says what was waited for. */
async function within(what, promise, limit = LIMIT_MS) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limit} ms in vain for ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

module.exports = { LIMIT_MS, pause, until, within };
