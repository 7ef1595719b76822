'use strict';

// lib/any-order.js, by which tests/run --shuffle has the tests of a file run in the order of a seed.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { newFolder } = require('./lib/paths');
const { run } = require('./lib/program');

const NAMES = Array.from({ length: 8 }, (_, i) => `test ${i}`);
const FORMS = {
  'all.test.js': "const { after, before, describe, it, test } = require('node:test');",
  'all.test.mjs': "import { after, before, describe, it, test } from 'node:test';",
};
const BODY = `
const say = (word) => console.error(word);
const many = (where) => ${JSON.stringify(NAMES)}.forEach((name) => test(name, () => say(where + name)));
describe('outer', { timeout: 60_000 }, () => {
  before(() => say('before outer'));
  after(() => say('after outer'));
  many('outer ');
  describe('inner', () => {
    many('inner ');
  });
});
it('alone', () => say('alone'));
many('file ');
`;

let folder;
before(() => {
  folder = newFolder('any-order');
  Object.entries(FORMS).forEach(([name, head]) => fs.writeFileSync(path.join(folder, name), head + BODY));
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

async function orderOf(file, seed) {
  const words = [process.execPath, '--require', path.join(__dirname, 'lib/any-order.js'), path.join(folder, file)];
  const { code, stderr, stdout } = await run(words, { env: { ESN_SHUFFLE: seed } });
  assert.equal(code, 0, stdout + stderr);
  return stderr.trim().split('\n');
}

const of = (order, where) => order.filter((word) => word.startsWith(where));

for (const file of Object.keys(FORMS)) {
  test(`each test of ${file} runs once, in its suite, in the order of the seed`, async () => {
    const [first, again, other] = [await orderOf(file, 'one'), await orderOf(file, 'one'), await orderOf(file, 'two')];
    assert.deepEqual(first, again);
    for (const where of ['outer ', 'inner ', 'file ']) {
      assert.deepEqual([...of(first, where)].sort(), NAMES.map((name) => where + name));
      assert.notDeepEqual(of(first, where), of(other, where));
      assert.notDeepEqual(of(first, where), NAMES.map((name) => where + name));
    }
    const suite = first.slice(first.indexOf('before outer'), first.indexOf('after outer') + 1);
    assert.equal(suite.length, 2 + 2 * NAMES.length, 'what is of the suite is between its hooks');
    const inner = suite.findIndex((word) => word.startsWith('inner'));
    assert.ok(suite.slice(inner, inner + NAMES.length).every((word) => word.startsWith('inner')));
    assert.ok(first.includes('alone'));
  });
}
