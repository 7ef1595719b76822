// Where a slip is put in, so that a test runs with it: a slot has at most one at a time, slots know nothing of each other.
import fs from 'node:fs';
import path from 'node:path';
import { run } from './process.mjs';
import { readCoverage } from './tests.mjs';

const MOST = 65536; // as in switch.h

function readCases(file) {
  if (!fs.existsSync(file)) return [];
  return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map(JSON.parse).map((one) => ({ ...one, slips: new Set(one.slips) }));
}

/** What came last, at the end of a file of tests, is that of its last one. */
function whatWasReached(cases, marks) {
  const isLeft = (slip) => marks[slip.number] === 1;
  const casesOf = (slip) => cases.filter((one, i) => one.slips.has(slip.number) || (i === cases.length - 1 && isLeft(slip)));
  return Object.assign((slip) => isLeft(slip) || casesOf(slip).length > 0, { casesOf });
}

/** For programs with switches: a folder that the environment names. */
export function switchSlot(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const now = path.join(folder, 'now');
  const reached = path.join(folder, 'reached');
  const cases = path.join(folder, 'cases');
  fs.rmSync(reached, { force: true });
  fs.writeFileSync(now, '-1');
  return {
    run: (test, { env, ...more } = {}) => run(test.command, test.args, { cwd: test.cwd ?? folder, env: { ...test.env, ...env, ESN_SLIPS: folder }, ...more }),
    put: (slip) => fs.writeFileSync(now, String(slip.number)),
    takeBack: () => fs.writeFileSync(now, '-1'),
    prepareTrace() {
      fs.writeFileSync(reached, Buffer.alloc(MOST));
      fs.chmodSync(reached, 0o666); // some programs become another user
      fs.rmSync(cases, { force: true });
      return { env: { ESN_TRACE: '1' }, read() {
        const marks = fs.readFileSync(reached);
        fs.rmSync(reached);
        return whatWasReached(readCases(cases), marks);
      } };
    },
  };
}

/** For what is run as it is written: the slip is put into the copy of the sources. */
export function sourceSlot(source, folder, { traced }) {
  fs.mkdirSync(folder, { recursive: true });
  let text;
  return {
    run: (test, { env, ...more } = {}) => run(test.command, test.args, { cwd: folder, env: { ...test.env, ...env }, ...more }),
    put(slip) {
      text = fs.readFileSync(path.join(source, slip.file), 'utf8');
      fs.writeFileSync(path.join(source, slip.file), text.slice(0, slip.start) + slip.plain + text.slice(slip.end));
    },
    takeBack: (slip) => fs.writeFileSync(path.join(source, slip.file), text),
    prepareTrace({ kind }) {
      if (!traced || kind === 'browser') return { env: {}, read: () => () => true };
      const coverage = path.join(folder, 'coverage');
      fs.rmSync(coverage, { recursive: true, force: true });
      return { env: { NODE_V8_COVERAGE: coverage }, read: () => readCoverage(coverage) };
    },
  };
}
