'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runResuming } = require('./lib/resuming');

const often = { rate: 200, clientCount: 8, longestVisitMs: 700 };

/** Every client had every event, and there was something to show. */
function check(figures, kills) {
  assert.equal(figures.received, figures.acknowledged * figures.clients);
  assert.ok(figures.acknowledged > 100, `${figures.acknowledged} events`);
  assert.ok(figures.visits > 3 * figures.clients, `${figures.visits} visits`);
  assert.equal(figures.outagesMs.length, kills);
}

// tests/soak/resume runs the same for minutes.
describe('clients that come and go at random under a flow of events have every one once and in order', () => {
  test('with the log in memory', async () => {
    check(await runResuming('resume', { ...often, durationMs: 8000 }), 0);
  });

  test('with the log on disk, while the daemon is killed five times', async () => {
    const log = { path: '$/log', sync: 'always' };
    check(await runResuming('resume', { ...often, durationMs: 10_000, kills: 5, longestOutageMs: 500, log }), 5);
  });

  test('that come in batches, while the daemon and workers of the handler are killed', async () => {
    const log = { path: '$/log', sync: 'always' };
    const batches = { rate: 1500, batch: 200, killsWorkers: true };
    check(await runResuming('resume', { ...often, ...batches, durationMs: 5000, kills: 3, longestOutageMs: 500, log }), 3);
  });
});
