'use strict';

// node run-files.js LOG_FOLDER COUNTS_FILE JOBS FILE... : runs each test file in a process of its own, JOBS at a time;
// prints one line a file and the details of what failed; writes "PASSED FAILED" to COUNTS_FILE.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { shuffled } = require('./shuffle');

// What takes long comes first, so that in the end nobody waits for one file alone.
const LONG = ['lines', 'tokens', 'many-topics', 'ghosts', 'subscribe', 'webservers', 'strangers', 'event-sources', 'client-users', 'story', 'identity'];

const FILE_LIMIT_MS = 10 * 60_000;
const ORDER = process.env.ESN_SHUFFLE ? ['--require', path.join(__dirname, 'any-order.js')] : [];
const [logs, countsFile, jobs, ...files] = process.argv.slice(2);

function runFile(file) {
  const name = nameOf(file);
  const folder = path.join(logs, name);
  fs.mkdirSync(folder, { recursive: true });
  const output = fs.openSync(path.join(folder, 'output.log'), 'w');
  const results = path.join(folder, 'results.jsonl');
  const started = Date.now();
  const child = spawn(
    process.execPath,
    [...ORDER, `--test-reporter=${path.join(__dirname, 'reporter.js')}`, `--test-reporter-destination=${results}`, file],
    { stdio: ['ignore', output, output], env: { ...process.env, ESN_TEST_LOGS: folder } },
  );
  fs.closeSync(output);
  const timer = setTimeout(() => child.kill('SIGTERM'), FILE_LIMIT_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ name, folder, results, end: signal ?? code, seconds: (Date.now() - started) / 1000 });
    });
  });
}

/** {passed, failures: [{name, place, error}]} of one file. */
function judge(run) {
  const text = fs.existsSync(run.results) ? fs.readFileSync(run.results, 'utf8') : '';
  const lines = text.split('\n').filter(Boolean).map(JSON.parse);
  const tests = lines.filter((line) => !line.isSuite);
  const failures = lines.filter((line) => (line.isSuite ? line.ownFailure : !line.passed));
  const passed = tests.filter((line) => line.passed).length;
  if (run.end !== 0 && failures.length === 0) {
    failures.push({ name: 'the whole file', error: `the process ended with ${run.end}` });
  }
  if (passed === 0 && failures.length === 0) {
    failures.push({ name: 'the whole file', error: 'it ran no test' });
  }
  return { passed, failures };
}

/** Without the lines of a stack that are Node's own. */
function indent(text) {
  return text.replace(/\n +at .*\(?node:.*/g, '').replace(/^/gm, '      ');
}

function tell(run, { passed, failures }) {
  const mark = failures.length === 0 ? 'ok    ' : 'FAILED';
  const counts = failures.length === 0 ? `${passed} passed` : `${passed} passed, ${failures.length} failed`;
  console.log(`  ${mark} ${run.name.padEnd(16)} ${counts}, ${run.seconds.toFixed(1)} s`);
  for (const failure of failures) {
    console.log(`    - ${failure.name}${failure.place ? ` (${failure.place})` : ''}`);
    console.log(indent(failure.error ?? 'it was skipped'));
  }
  if (failures.length > 0) {
    const output = fs.readFileSync(path.join(run.folder, 'output.log'), 'utf8').trim();
    if (output) {
      console.log(`    its output ends with:\n${indent(output.slice(-2000))}`);
    }
    console.log(`    logs: ${run.folder}`);
  }
}

const nameOf = (file) => path.basename(file).replace(/\.test\.js$/, '');

/** In the order of a seed, or the long ones first. */
function inOrder() {
  const seed = process.env.ESN_SHUFFLE;
  if (seed) {
    return shuffled(files, seed);
  }
  const rank = (file) => (LONG.includes(nameOf(file)) ? LONG.indexOf(nameOf(file)) : LONG.length);
  return [...files].sort((a, b) => rank(a) - rank(b));
}

async function main() {
  const waiting = inOrder();
  let passed = 0;
  let failed = 0;
  const work = async () => {
    while (waiting.length > 0) {
      const run = await runFile(waiting.shift());
      const verdict = judge(run);
      tell(run, verdict);
      passed += verdict.passed;
      failed += verdict.failures.length;
    }
  };
  await Promise.all(Array.from({ length: Number(jobs) }, work));
  fs.writeFileSync(countsFile, `${passed} ${failed}\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
