// The rules, on a few lines: what is found, and that it is put in where it was found.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { switchedText } from './lib/c.mjs';
import { equivalentsIn } from './lib/equivalent.mjs';
import { switchSlot } from './lib/slots.mjs';
import { slipsOfText } from './lib/slips.mjs';
import { nodeTest, tryTests } from './lib/tests.mjs';

const C = `#include "a.h" /* if (no) no(); */
static const char text[] = "if (no) no();";

static bool admit(struct door *door, int a, int b)
{
    if (a < b && door->open)
        count(door, a);
    for (int i = 0; i < a; i++)
        door->seen++;
    message_info("somebody came");
    return door->seen >= b;
}
`;

const found = (source, language) => slipsOfText(source, language).map((slip) => `${slip.rule}: ${slip.before} -> ${slip.after}`);

test('in C', () => {
  assert.deepEqual(found(C, 'c').sort(), [
    'arguments swapped: door, a -> a, door',
    'call left out: count(door, a); -> ;',
    'comparison off by one: a < b -> a <= b',
    'comparison off by one: door->seen >= b -> door->seen > b',
    'condition negated: a < b && door->open -> !(a < b && door->open)',
    'early return: static bool admit(struct door *door, int a, int b) -> return true;',
    'limit not applied: a < b && door->open -> false',
    'part of a condition left out: a < b -> true',
    'part of a condition left out: door->open -> true',
  ]);
});

test('each is switched in where it stands, and an else keeps its if', () => {
  const source = 'void f(int a)\n{\n    if (a)\n        g(a);\n    else\n        h(a);\n}\n';
  const slip = slipsOfText(source, 'c').find((one) => one.before === 'g(a);');
  assert.equal(source.slice(slip.start, slip.end), 'g(a);');
  assert.equal(slip.text, '{ if (!ESN_SLIP(@)) { g(a); } }');
});

test('two texts are as equal either way round', () => {
  const source = 'bool f(const char *a, const char *b)\n{\n    return strcmp(a, b) == 0 || strncmp(a, b, n) < 0;\n}\n';
  const swapped = found(source, 'c').filter((one) => one.startsWith('arguments'));
  assert.deepEqual(swapped, ['arguments swapped: a, b -> b, a', 'arguments swapped: b, n -> n, b']);
});

test('a choice between two values is left as it is', () => {
  const source = 'int f(int a)\n{\n    return a && b ? c : d;\n}\n';
  assert.deepEqual(found(source, 'c'), []);
});

test('switched on, a slip is what it says; a test comes by where it would make a difference', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'esn-slips-'));
  const source = '#include <stdlib.h>\n\nint main(int count, char **words)\n{\n    int a = atoi(words[1]);\n    if (a > 3 && count == 2)\n        return 1;\n    return 0;\n}\n';
  const slips = slipsOfText(source, 'c').map((one, number) => ({ ...one, number }));
  const library = new URL('./lib/', import.meta.url).pathname;
  const slot = switchSlot(path.join(folder, 'slot'));
  const found = {};
  for (const slip of slips) {
    fs.writeFileSync(path.join(folder, 'a.c'), switchedText(source, [slip]));
    execFileSync('cc', ['-include', `${library}switch.h`, '-o', path.join(folder, 'a'), path.join(folder, 'a.c'), `${library}switch.c`]);
    const run = async (word) => (await slot.run({ command: path.join(folder, 'a'), args: [word] })).ok;
    const of = (found[`${slip.rule}: ${slip.before} -> ${slip.after}`] = []);
    for (const word of ['3', '4']) {
      const trace = slot.prepareTrace({});
      const before = await run(word);
      const comesBy = trace.read()(slip);
      slot.put(slip);
      of.push([comesBy, before !== (await run(word))]);
      slot.takeBack(slip);
    }
  }
  fs.rmSync(folder, { recursive: true });
  const [no, yes] = [[false, false], [true, true]];
  assert.deepEqual(found, {
    'condition negated: a > 3 && count == 2 -> !(a > 3 && count == 2)': [yes, yes],
    'limit not applied: a > 3 && count == 2 -> false': [no, yes],
    'part of a condition left out: a > 3 -> true': [yes, no],
    'comparison off by one: a > 3 -> a >= 3': [yes, no],
    'part of a condition left out: count == 2 -> true': [no, no],
  });
});

test('in PHP', () => {
  const source = "<?php\n// if ($no) {}\nfinal class A\n{\n    public function b(int $a): void\n    {\n        if ($a > 1 || $this->c) {\n            $this->d = 'x;';\n        }\n    }\n}\n";
  assert.deepEqual(found(source, 'php').sort(), [
    "assignment left out: $this->d = 'x;'; -> ;",
    'comparison off by one: $a > 1 -> $a >= 1',
    'condition negated: $a > 1 || $this->c -> !($a > 1 || $this->c)',
    'early return: public function b(int $a): void -> return;',
    'limit not applied: $a > 1 || $this->c -> false',
    'part of a condition left out: $a > 1 -> false',
    'part of a condition left out: $this->c -> false',
  ]);
});

test('of a file the chosen tests alone are run, and no suite without one is set up', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'esn-cases-'));
  const file = path.join(folder, 'a.test.js');
  const suite = (name) => `describe('${name}', () => { before(() => say('begin ${name}')); for (const n of ['one', 'two']) test(n, () => say('${name} ' + n)); });`;
  fs.writeFileSync(file, `const { before, describe, test } = require('node:test'); const say = (text) => require('node:fs').appendFileSync('said', text + ', ');
${suite('a')} describe('outer', () => { ${suite('b')} }); test('alone', () => say('alone'));`);
  const ran = (env) => {
    fs.rmSync(path.join(folder, 'said'), { force: true });
    execFileSync(process.execPath, ['--require', new URL('./lib/cases.cjs', import.meta.url).pathname, file], { cwd: folder, env: { ...process.env, NODE_TEST_CONTEXT: '', ...env } });
    return fs.readFileSync(path.join(folder, 'said'), 'utf8');
  };
  assert.equal(ran({}), 'begin a, a one, a two, begin b, b one, b two, alone, ');
  assert.equal(ran({ ESN_ONLY: '["outer > b > two"]' }), 'begin b, b two, ');
  assert.equal(ran({ ESN_ONLY: '["a > one","alone"]' }), 'begin a, a one, alone, ');
  const slot = switchSlot(path.join(folder, 'slot'));
  const trace = slot.prepareTrace();
  ran({ ...trace.env, ESN_SLIPS: path.join(folder, 'slot') });
  assert.deepEqual(trace.read().casesOf({ number: 1 }), []);
  fs.rmSync(folder, { recursive: true });
});

test('equivalents need a reason', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'esn-equivalent-')), 'list');
  fs.writeFileSync(file, '# a comment\na.c | call left out | g(a); | ; | f() does it again\n');
  assert.equal(equivalentsIn(file).has('a.c', 'call left out', 'g(a);', ';'), true);
  assert.equal(equivalentsIn(file).has('a.c', 'call left out', 'h(a);', ';'), false);
  fs.writeFileSync(file, 'a.c | call left out | g(a); | ;\n');
  assert.throws(() => equivalentsIn(file), /:1: not FILE/);
  fs.rmSync(path.dirname(file), { recursive: true });
});

const UNIT = `#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
static void good(void **state) { (void)state; }
static void bad(void **state) { (void)state; fail(); }
static void bad_too(void **state) { (void)state; fail(); }
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad), cmocka_unit_test(good), cmocka_unit_test(bad_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
`;
const NODE = `const { describe, test } = require('node:test');
describe('a suite', () => {
  test('good', () => {});
  test('bad', () => { throw new Error('always'); });
});
test('bad too', () => { throw new Error('always'); });
test('good too', () => {});
`;

test('what fails without a slip is named and left out, and the rest of its file is used', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'esn-slips-'));
  const inFolder = (name) => path.join(folder, name);
  fs.writeFileSync(inFolder('unit.c'), UNIT);
  fs.writeFileSync(inFolder('node.test.js'), NODE);
  execFileSync('cc', ['-o', inFolder('unit'), inFolder('unit.c'), '-lcmocka']);
  const shuffle = new URL('../unit/shuffle.c', import.meta.url).pathname;
  execFileSync('cc', ['-shared', '-fPIC', '-D_GNU_SOURCE', '-o', inFolder('chooser.so'), shuffle, '-ldl']);
  const tests = [{ kind: 'unit', name: 'unit', command: inFolder('unit'), args: [], env: {}, chooser: inFolder('chooser.so') }, nodeTest('system', inFolder('node.test.js'), { NODE_TEST_CONTEXT: '' })];
  const said = [];
  const slot = switchSlot(inFolder('slot'));
  const useful = await tryTests(tests, { slots: [slot], logs: folder, say: (text) => said.push(text.trim().replace(/ \(.*/, '')) });
  assert.deepEqual(said, ['unit unit: "bad"', 'unit unit: "bad_too"', 'system node: "a suite > bad"', 'system node: "bad too"']
    .map((name) => `${name} fails without a slip, and is left out`));
  assert.deepEqual(useful.map(({ name }) => name), ['unit', 'node']);
  for (const one of useful) assert.ok((await slot.run(one)).ok, one.name);
  fs.rmSync(folder, { recursive: true });
});
