'use strict';

// Before each file of Node's tests. With ESN_TRACE it writes down after each test which slips it came by and how long it took;
// with ESN_ONLY, a list of full names, no other test is run, and no suite that has none of them is even set up; those of
// ESN_WITHOUT are not run at all.

const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const path = require('node:path');
const nodeTest = require('node:test');

/** {name, milliseconds, slips} of each test, one a line of ESN_SLIPS/cases. What its suite's beginning comes by is its own. */
function trace(folder) {
  const reached = fs.openSync(path.join(folder, 'reached'), 'r+');
  const { size } = fs.fstatSync(reached);
  let began = performance.now();
  nodeTest.afterEach((context) => {
    const marks = Buffer.alloc(size);
    fs.readSync(reached, marks, 0, size, 0);
    fs.writeSync(reached, Buffer.alloc(size), 0, size, 0);
    const slips = [...marks.keys()].filter((number) => marks[number] === 1);
    const now = performance.now();
    fs.appendFileSync(path.join(folder, 'cases'), `${JSON.stringify({ name: context.fullName, milliseconds: now - began, slips })}\n`);
    began = now;
  });
}

function choose(wanted, without) {
  const suites = [];
  const { describe, test } = nodeTest;
  const nameOf = (name) => [...suites, name].join(' > ');
  const isAmong = (name, list) => list.some((one) => one === name || one.startsWith(`${name} > `));
  const isWanted = (name) => !without.includes(name) && (!wanted || isAmong(name, wanted));
  nodeTest.test = nodeTest.it = Object.assign((name, ...more) => (isWanted(nameOf(name)) ? test(name, ...more) : undefined), test);
  nodeTest.describe = nodeTest.suite = Object.assign((name, ...more) => {
    if (!isWanted(nameOf(name))) return undefined;
    const fill = more.pop();
    return describe(name, ...more, (context) => {
      suites.push(name);
      try {
        return fill(context);
      } finally {
        suites.pop();
      }
    });
  }, describe);
  syncBuiltinESMExports();
}

if (process.env.ESN_TRACE) trace(process.env.ESN_SLIPS);
const listOf = (text) => text && JSON.parse(text);
if (process.env.ESN_ONLY || process.env.ESN_WITHOUT) choose(listOf(process.env.ESN_ONLY), listOf(process.env.ESN_WITHOUT) ?? []);
