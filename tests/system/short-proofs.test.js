'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runShortProofs } = require('./lib/short-proofs');

// tests/soak/identity is the same, larger.
test('streams whose proofs end all the time hear each event once, in order, and none after a grant', async () => {
  const figures = await runShortProofs('short', {
    streams: 20,
    groups: 4,
    rate: 40,
    durationMs: 6000,
    lifeMs: 2000,
    lapsing: 0.4,
  });
  assert.equal(figures.heard, figures.events * 5);
  assert.ok(figures.renewed > 0, 'some were renewed');
  assert.ok(figures.expired > 0, 'some came to an end');
});
