'use strict';

// A few seconds of tests/soak/outbox.

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { runOutboxSoak } = require('./lib/outbox-soak');

describe('the outbox while everything is killed', () => {
  for (const database of ['sqlite', 'mariadb']) {
    it(`has all heard that was committed to ${database}, each once and in its queue's order`, async () => {
      const figures = await runOutboxSoak('kills', { database, ms: 0, pauseMs: 500, writers: 4, queues: 3, pauseUs: 10_000 });
      assert.equal(figures.heard, figures.committed);
      assert.ok(figures.committed > 0);
    });
  }
});
