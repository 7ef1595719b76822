'use strict';

// Loaded before a test file: each suite's tests, and those of the file, run in the order that ESN_SHUFFLE makes.

const nodeTest = require('node:test');
const { syncBuiltinESMExports } = require('node:module');
const { shuffled } = require('./shuffle');

let registrations; // of the suite whose function is running, or of the file

function register(own) {
  for (const add of shuffled(own, process.env.ESN_SHUFFLE)) {
    add();
  }
}

function later(add) {
  if (!registrations) {
    const ofFile = [];
    registrations = ofFile;
    setImmediate(() => {
      registrations = undefined;
      register(ofFile);
    });
  }
  registrations.push(add);
}

/** The function of a suite, which is called at once, registers what is in it when it returns. */
function withOrder(suite) {
  return (...args) => {
    const outer = registrations;
    const own = [];
    registrations = own;
    try {
      suite(...args);
      register(own);
    } finally {
      registrations = outer;
    }
  };
}

for (const name of ['test', 'it', 'describe', 'suite']) {
  const original = nodeTest[name];
  const isSuite = name === 'describe' || name === 'suite';
  nodeTest[name] = (...args) =>
    later(() => original(...args.map((arg) => (isSuite && typeof arg === 'function' ? withOrder(arg) : arg))));
}
syncBuiltinESMExports();
