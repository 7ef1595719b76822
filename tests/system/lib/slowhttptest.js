'use strict';

const assert = require('node:assert/strict');
const { tool } = require('./paths');
const { run } = require('./program');

/** One mode of slowhttptest(1), which says at its end whether the service was there for its own probe. */
async function slowHttpTest({ connections, seconds }, ...words) {
  const program = tool('slowhttptest', 'slowhttptest');
  const common = ['-c', String(connections), '-r', String(connections), '-l', String(seconds), '-p', '5', '-i', '1', '-v', '1'];
  const { code, stdout, stderr } = await run([program, ...common, ...words]);
  const output = stdout + stderr;
  assert.equal(code, 0, output);
  assert.match(output, /Exit status:.*(No open connections left|Hit test time limit)/);
  assert.doesNotMatch(output, /service available:.*NO/);
}

/** Heads, bodies and readers at a snail's pace, so many connections of each at once. */
function slowHttpTests(stack, measure) {
  const state = `${stack.url}/state?token=${stack.adminToken}`;
  return Promise.all([
    slowHttpTest(measure, '-H', '-u', `${stack.url}/`, '-x', '24'),
    slowHttpTest(measure, '-B', '-u', `${stack.url}/`, '-s', '8192', '-t', 'POST', '-x', '10'),
    slowHttpTest(measure, '-X', '-u', state, '-w', '1', '-y', '64', '-z', '8', '-k', '3'),
  ]);
}

module.exports = { slowHttpTests };
