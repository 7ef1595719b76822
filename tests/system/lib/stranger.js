'use strict';

// A process that does one of stranger-cases.js: node stranger.js CASE --port P [--size S] [--seconds N]. Says "ready" when
// it begins, and ends by itself.

const { parseArgs } = require('node:util');
const { cases } = require('./stranger-cases');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    count: { type: 'string' }, // of lib/attacked.js; the size says how many
    size: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '10' },
  },
});

const end = Date.now() + 1000 * Number(values.seconds);
console.log('ready');
cases[positionals[0]]({ port: Number(values.port), isOver: () => Date.now() >= end }, Number(values.size)).then(() =>
  process.exit(0),
);
