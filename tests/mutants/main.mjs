// tests/mutants/run --help
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildC, findC } from './lib/c.mjs';
import { equivalentsIn } from './lib/equivalent.mjs';
import { judgeAll } from './lib/judge.mjs';
import { startQuickstart } from './lib/quickstart.mjs';
import { sourceSlot, switchSlot } from './lib/slots.mjs';
import { findJavascript, findPhp, testsOfC, testsOfJavascript, testsOfPhp, tryTests } from './lib/tests.mjs';

const USAGE = `usage: tests/mutants/run [options]
Makes slips in C, JavaScript and PHP, one at a time, and says which of them no test notices.

  --seed N        of the choice (default: a random one, which is printed)
  --count N       how many slips (default 300)
  --slips FILE    no choice: those that FILE lists, a line each as --list prints them, where the code still has them
  --only TEXT     only in files whose path contains it; may be given again
  --kinds A,B     only these tests: unit, system, js, js-daemon, browser, php, php-broker (default: all)
  --tests A,B     only the tests of these names (default: all)
  --again         only what was not noticed in --dir before: with the same seed and count, and the code as it was, or with --slips
  --jobs N        so many tests of C at a time (default 2)
  --patience N    seconds of tests of a kind for one slip (default 120); what was not noticed by then survives
  --minutes N     begin with no further slip after so long (default: no limit)
  --dir DIR       where source copy, build, logs and results go (default: a new folder)
  --list          only show the slips that were chosen
Slips that change nothing stand in tests/mutants/equivalent.txt with the reason. docs/testing.md says more.`;

const { values: options } = parseArgs({ options: {
  seed: { type: 'string' }, count: { type: 'string', default: '300' }, only: { type: 'string', multiple: true, default: [] },
  kinds: { type: 'string' }, tests: { type: 'string' }, again: { type: 'boolean' }, patience: { type: 'string', default: '120' }, jobs: { type: 'string', default: '2' }, minutes: { type: 'string', default: 'Infinity' },
  slips: { type: 'string' }, dir: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
} });
const say = (text) => console.log(text);
const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../..');

function randomFrom(seed) {
  let state = seed >>> 0; // mulberry32, a public-domain generator by Tommy Ettinger
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What git knows, where the tests may be run on it without touching the tree that people work in. */
function copyTree(source) {
  const files = execFileSync('git', ['-C', root, 'ls-files'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const file of files) {
    const target = path.join(source, file);
    const text = fs.readFileSync(path.join(root, file));
    if (fs.existsSync(target) && fs.readFileSync(target).equals(text)) continue; // nothing for make to do
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text, { mode: fs.statSync(path.join(root, file)).mode });
  }
  for (const folder of ['tests', 'clients/js']) {
    const modules = path.join(root, folder, 'node_modules');
    if (!fs.existsSync(modules)) throw new Error(`Node's packages are missing: run "npm ci" in ${folder}/`);
    if (!fs.existsSync(path.join(source, folder, 'node_modules'))) fs.symlinkSync(fs.realpathSync(modules), path.join(source, folder, 'node_modules'));
  }
  return files;
}

/** Some more than are wanted, since the compiler refuses some; none overlaps another of its file. */
function choose(slips, count) {
  const chosen = [];
  for (const slip of [...slips].sort((a, b) => a.rank - b.rank)) {
    if (chosen.length >= count) break;
    const overlaps = chosen.some((other) => other.file === slip.file && other.start < Math.max(slip.end, slip.start + 1) && slip.start < Math.max(other.end, other.start + 1));
    if (!overlaps) chosen.push(slip);
  }
  return chosen;
}

const fold = (text) => text.replace(/\s+/g, ' ').trim();

const changeOf = (slip) => `${slip.rule}: ${fold(slip.before)} -> ${fold(slip.after)}`;

/** One of a list keeps the words of its line, wherever the code has it now. */
function describe(slip) {
  return slip.listedAs ?? `${slip.file}:${slip.line}: ${changeOf(slip)}`;
}

/** Those of a list, each the nearest to its line that makes the same change; gone(line) of what the code has no more. */
function findListed(text, slips, gone) {
  const found = [];
  for (const listedAs of text.split('\n')) {
    const [, file, line, change] = /^(\S+?):(\d+): (.*)$/.exec(listedAs) ?? [];
    if (!change) continue;
    const same = slips.filter((slip) => slip.file === file && changeOf(slip) === change && !found.some(({ number }) => number === slip.number));
    const distance = (slip) => Math.abs(slip.line - Number(line));
    const [nearest] = same.sort((a, b) => distance(a) - distance(b));
    if (nearest) found.push({ ...nearest, listedAs, rank: found.length });
    else gone(listedAs);
  }
  return found;
}

/** Each language with its tests in stages, from near and quick to far and slow: the second looks at what the first missed. */
function stagesOf(copies, dir, build) {
  const slots = Array.from({ length: Number(options.jobs) }, (_, i) => switchSlot(path.join(dir, 'slots', String(i))));
  const inPlace = (name, traced) => [sourceSlot(copies[name], path.join(dir, 'slots', name), { traced })];
  const kindOf = (tests, kind) => tests.filter((test) => test.kind === kind);
  const c = build ? testsOfC(copies.c, build, path.join(dir, 'switch/chooser.so')) : [];
  const js = testsOfJavascript(copies.js, build);
  return [
    { language: 'c', slots, stages: [() => kindOf(c, 'unit'), () => kindOf(c, 'system')] },
    { language: 'js', slots: inPlace('js', true), stages: [() => kindOf(js, 'js'), () => kindOf(js, 'js-daemon'), () => kindOf(js, 'browser')] },
    { language: 'php', slots: inPlace('php', false), stages: [() => testsOfPhp(copies.php), async (started) => {
      started.push(await startQuickstart(root, dir));
      return testsOfPhp(copies.php, started.at(-1).env);
    }] },
  ];
}

const isAmong = (list, name) => !list || list.split(',').includes(name);

/** Lets the tests of one language look at its slips, stage by stage. */
async function judgeLanguage({ slots, stages }, slips, { logs, until, tell }) {
  const started = [];
  let left = slips;
  for (const [number, stage] of stages.entries()) {
    if (!left.length) break;
    const tests = (await stage(started)).filter(({ kind, name }) => isAmong(options.kinds, kind) && isAmong(options.tests, name));
    if (!tests.length) continue;
    const useful = await tryTests(tests, { slots, logs, say });
    const patience = Number(options.patience) * 1000;
    left = await judgeAll(left, useful, { slots, patience, until, told: (slip, { by }) => by && tell(slip, by) });
    say(`  ${left.length} left after stage ${number + 1} of ${slips[0].language}`);
  }
  for (const slip of left) tell(slip, undefined);
  await Promise.all(started.map((quickstart) => quickstart.stop()));
}

/** What is known of the slips that were tried in this folder before. */
function formerResults(file) {
  if (!options.again) return [];
  if (!fs.existsSync(file)) throw new Error(`--again: nothing was tried in --dir before: ${file} is missing`);
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

/** All that are known, each with its number and its place in the order of the seed. */
function findSlips(source, files, seed) {
  const random = randomFrom(seed);
  const wanted = (slip) => !options.only.length || options.only.some((text) => slip.file.includes(text));
  return [...findC(source, files), ...findJavascript(source, files), ...findPhp(source, files)]
    .map((slip, number) => ({ ...slip, number, rank: random() })).filter(wanted);
}

function makeCopies(dir) {
  const copies = { c: path.join(dir, 'source'), js: path.join(dir, 'source-js'), php: path.join(dir, 'source-php') };
  const [files] = Object.values(copies).map(copyTree);
  return { copies, files };
}

async function main() {
  if (options.help) return say(USAGE);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 1e9));
  const dir = path.resolve(options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'esn-mutants-')));
  const logs = path.join(dir, 'logs');
  const until = Date.now() + Number(options.minutes) * 60_000;
  fs.mkdirSync(logs, { recursive: true });
  fs.chmodSync(dir, 0o755);
  const { copies, files } = makeCopies(dir);
  const all = findSlips(copies.c, files, seed);
  const equivalents = equivalentsIn(path.join(root, 'tests/mutants/equivalent.txt'));
  const different = all.filter((slip) => !equivalents.has(slip.file, slip.rule, fold(slip.before), fold(slip.after)));
  say(`seed ${seed}; ${all.length} slips are known, ${all.length - different.length} of them change nothing; in ${dir}`);
  const file = path.join(dir, 'results.json');
  const former = formerResults(file);
  const isKnown = (slip) => former.some((one) => one.by && one.slip === describe(slip));
  const chosen = options.slips
    ? findListed(fs.readFileSync(options.slips, 'utf8'), different, (line) => say(`GONE      ${line}`)).filter((slip) => !isKnown(slip))
    : choose(different, Math.ceil(Number(options.count) * 1.3));
  if (options.list) return chosen.forEach((slip) => say(describe(slip)));
  const built = await buildC({ source: copies.c, dir, say }, chosen.filter((slip) => slip.language === 'c'));
  const taken = choose([...built.slips, ...chosen.filter((slip) => slip.language !== 'c')], options.slips ? Infinity : Number(options.count));
  const judged = taken.filter((slip) => !isKnown(slip));
  const results = former.filter((one) => !judged.some((slip) => describe(slip) === one.slip));
  const tell = (slip, by) => {
    results.push({ slip: describe(slip), file: slip.file, line: slip.line, rule: slip.rule, before: fold(slip.before), after: fold(slip.after), by, reached: slip.reached });
    fs.writeFileSync(file, JSON.stringify(results, null, 1));
    say(by ? `noticed   ${describe(slip)}  (${by})` : `SURVIVED  ${describe(slip)}  (${slip.reached ?? 0} tests come by)`);
  };
  await Promise.all(stagesOf(copies, dir, built.build).map((one) => {
    const mine = judged.filter((slip) => slip.language === one.language);
    return mine.length && judgeLanguage(one, mine, { logs, until, tell });
  }));
  const isOf = (one) => !equivalents.has(one.file, one.rule, one.before, one.after);
  report(results.filter(isOf), options.slips ? options.slips : `seed ${seed}`);
}

function report(results, what) {
  const survivors = results.filter((result) => !result.by);
  say(`\n${what}: ${results.length} slips were tried, ${results.length - survivors.length} noticed (${(100 * (1 - survivors.length / results.length)).toFixed(1)} %)`);
  for (const one of survivors) say(`  ${one.slip}  (${one.reached} tests come by)`);
}

await main();
