// The tests that could notice: what they are, how one is run, and what each comes by.
import fs from 'node:fs';
import path from 'node:path';
import { slipsOfJavascript } from './javascript.mjs';
import { slipsOfText } from './slips.mjs';
import { lineOf } from './text.mjs';

function filesIn(folder, ending) {
  return fs.readdirSync(folder).filter((name) => name.endsWith(ending)).map((name) => path.join(folder, name));
}

const cases = new URL('./cases.cjs', import.meta.url).pathname;
const reporter = new URL('./stop-at-first.mjs', import.meta.url).pathname;

export function nodeTest(kind, file, env) {
  return { kind, name: path.basename(file).replace('.test.js', ''), command: process.execPath, env,
    args: [`--require=${cases}`, `--test-reporter=${reporter}`, '--test-reporter-destination=stdout', file] };
}

/** How tests of a kind are left out, by their names, and which of them a log says have failed. */
const WITHOUT = {
  unit: {
    failed: (log) => [...log.matchAll(/^\[  FAILED  \] (?!GROUP |\d)(\w+)$/gm)].map((match) => match[1]),
    leaveOut: (test, names) => ({ ...test, env: { ...test.env, LD_PRELOAD: test.chooser, ESN_WITHOUT: names.join(' ') } }),
  },
  php: {
    failed: (log) => [...log.matchAll(/^\d+\) ([\w\\]+::\w+)/gm)].map((match) => match[1]),
    leaveOut: (test, names) => ({ ...test, args: [...test.args, '--filter', `/^(?!(${names.map((name) => name.replaceAll('\\', '\\\\')).join('|')})\\b)/`] }),
  },
  node: {
    failed: (log) => [...log.matchAll(/^not ok: (".*")$/gm)].map((match) => JSON.parse(match[1])),
    leaveOut: (test, names) => ({ ...test, env: { ...test.env, ESN_WITHOUT: JSON.stringify(names) } }),
  },
};

/** Of C: the unit test programs, then the files of system tests. `chooser` is a build of tests/unit/shuffle.c. */
export function testsOfC(source, build, chooser) {
  const unit = fs.readFileSync(path.join(build, 'Makefile'), 'utf8').match(/tests\/unit\/test_\w+/g) ?? [];
  return [
    ...[...new Set(unit)].filter((name) => fs.existsSync(path.join(build, name)))
      .map((name) => ({ kind: 'unit', name: name.slice('tests/unit/test_'.length), command: path.join(build, name), args: [], cwd: build, env: { srcdir: source }, chooser })),
    ...filesIn(path.join(source, 'tests/system'), '.test.js').map((file) => nodeTest('system', file, { ESN_BUILD: build })),
  ];
}

// With pages that load the client from its sources. What of it they run is not traced.
const IN_PAGES = ['tabs', 'users', 'life-cycle', 'client', 'client-life', 'client-users'];

export function testsOfJavascript(source, build) {
  const folder = path.join(source, 'clients/js/test');
  return [...filesIn(folder, '.test.js').map((file) => nodeTest('js', file, { ESN_BUILD: build })),
    ...filesIn(path.join(folder, 'daemon'), '.test.js').map((file) => nodeTest('js-daemon', file, { ESN_BUILD: build })),
    ...IN_PAGES.map((name) => nodeTest('browser', path.join(source, 'tests/browser', `${name}.test.js`), { ESN_BUILD: build, ESN_PAGE_BUILD: 'source' }))];
}

/** Those of its suites that need no broker, or with the environment of a quickstart those that do. */
export function testsOfPhp(source, quickstart) {
  const suite = (kind, name) => ({ kind, name, command: 'phpunit', env: quickstart ?? {},
    args: ['--configuration', path.join(source, 'clients/php/phpunit.xml'), '--stop-on-failure', '--testsuite', name] });
  return quickstart ? [suite('php-broker', 'integration'), suite('php-broker', 'integration-bound')] : [suite('php', 'unit')];
}

export function findPhp(source, files) {
  return files.filter((file) => file.startsWith('clients/php/src/') && file.endsWith('.php'))
    .flatMap((file) => withPlaces(source, file, 'php', (text) => slipsOfText(text, 'php')));
}

export function findJavascript(source, files) {
  return files.filter((file) => file.startsWith('clients/js/src/') && file.endsWith('.js'))
    .flatMap((file) => withPlaces(source, file, 'js', (text) => slipsOfJavascript(text, path.join(source, 'clients/js'))));
}

function withPlaces(source, file, language, find) {
  const text = fs.readFileSync(path.join(source, file), 'utf8');
  return find(text).map((slip) => ({ ...slip, file, language, line: lineOf(text, slip.start) }));
}

const ATTEMPTS = 3; // at a file of which some tests fail

/** Runs each file of tests once without a slip: how long it takes, what it comes by. What fails is left out by itself. */
export async function tryTests(tests, { slots, logs, say }) {
  const waiting = [...tests];
  const useful = [];
  await Promise.all(slots.map(async (slot) => {
    for (let test; (test = waiting.shift());) {
      const tried = await tryTest(test, { slot, log: path.join(logs, `${test.kind}-${test.name}.log`), say });
      if (tried) useful.push(tried);
    }
  }));
  return useful;
}

async function tryTest(test, { slot, log, say }) {
  const { failed, leaveOut } = test.args.includes(`--require=${cases}`) ? WITHOUT.node : WITHOUT[test.kind.replace(/-.*/, '')];
  const without = [];
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const now = without.length ? leaveOut(test, without) : test;
    const trace = slot.prepareTrace(now);
    const result = await slot.run(now, { env: trace.env, log });
    if (result.ok) return { ...now, milliseconds: result.milliseconds, reaches: trace.read() };
    const names = result.over ? [] : failed(fs.readFileSync(log, 'utf8')).filter((name, i, all) => all.indexOf(name) === i && !without.includes(name));
    if (!names.length) break;
    for (const name of names) say(`  ${test.kind} ${test.name}: "${name}" fails without a slip, and is left out (${log})`);
    without.push(...names);
    fs.renameSync(log, `${log}.${attempt}`);
  }
  say(`  ${test.kind} ${test.name} fails without a slip: not used (${log})`);
  return undefined;
}

/** The coverage of V8: nested ranges with counts; the innermost one counts. */
export function readCoverage(folder) {
  const scripts = new Map();
  for (const file of fs.existsSync(folder) ? filesIn(folder, '.json') : []) {
    for (const { url, functions } of JSON.parse(fs.readFileSync(file, 'utf8')).result) {
      const at = url.indexOf('/clients/js/src/');
      if (at < 0) continue;
      const name = url.slice(at + 1);
      scripts.set(name, [...(scripts.get(name) ?? []), functions.flatMap((one) => one.ranges)]);
    }
  }
  return (slip) => (scripts.get(slip.file) ?? []).some((ranges) => countAt(ranges, slip.start) > 0);
}

function countAt(ranges, offset) {
  let best;
  for (const range of ranges) {
    const inside = range.startOffset <= offset && offset < range.endOffset;
    if (inside && (!best || range.endOffset - range.startOffset <= best.endOffset - best.startOffset)) best = range;
  }
  return best?.count ?? 0;
}

/** Of those of its tests that come by the slip, where that is known. */
function timeOf({ milliseconds, reaches }, slip) {
  const cases = reaches.casesOf?.(slip) ?? [];
  return cases.length ? cases.reduce((sum, one) => sum + one.milliseconds, 0) : milliseconds;
}

/** From nearest to farthest: those whose name is the module's, then the quick ones. */
export function nearestFirst(tests, slip) {
  const words = path.basename(slip.file).replace(/\.\w+$/, '').split(/[_-]/);
  const distance = (test) => test.name.split(/[_-]/).filter((word) => words.includes(word)).length;
  return tests.filter((test) => test.reaches(slip)).sort((a, b) => distance(b) - distance(a) || timeOf(a, slip) - timeOf(b, slip));
}
