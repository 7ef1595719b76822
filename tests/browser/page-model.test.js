'use strict';

// Random walks of pages: those that found a fault once, and a new one. tests/soak/pages walks for longer, and makes one that
// fails short.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Violation } = require('./lib/model/page');
const { walk, walkOf } = require('./lib/model/walk');
const { World } = require('./lib/model/world');
const { browserName } = require('./lib/scene');

const SEEDS = {
  'of one user': [404, 423],
  'of two users': [1, 108, 603, Math.floor(Math.random() * 1e6)],
};

let world;
before(async () => (world = await World.start(browserName)));
after(() => world?.stop());

describe('each page hears each event of its user once, in order, and none of another’s', () => {
  for (const [whose, seeds] of Object.entries(SEEDS)) {
    for (const seed of seeds) {
      test(`walk ${seed} ${whose}`, async () => {
        const acts = [];
        try {
          await walk(world, walkOf(seed, { isCrowded: whose === 'of two users' }), (line) => acts.push(line));
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          assert.fail(`${error.message}\n${acts.join('\n')}`);
        }
      });
    }
  }
});
