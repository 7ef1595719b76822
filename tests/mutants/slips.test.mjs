// The rules, on a few lines: what is found, and that it is put in where it was found.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { equivalentsIn } from './lib/equivalent.mjs';
import { slipsOfText } from './lib/slips.mjs';

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

test('equivalents need a reason', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'esn-equivalent-')), 'list');
  fs.writeFileSync(file, '# a comment\na.c | call left out | g(a); | ; | f() does it again\n');
  assert.equal(equivalentsIn(file).has('a.c', 'call left out', 'g(a);', ';'), true);
  assert.equal(equivalentsIn(file).has('a.c', 'call left out', 'h(a);', ';'), false);
  fs.writeFileSync(file, 'a.c | call left out | g(a); | ;\n');
  assert.throws(() => equivalentsIn(file), /:1: not FILE/);
  fs.rmSync(path.dirname(file), { recursive: true });
});
