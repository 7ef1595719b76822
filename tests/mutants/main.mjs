// tests/mutants/run --help
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildC, findC } from './lib/c.mjs';
import { equivalentsIn } from './lib/equivalent.mjs';
import { run } from './lib/process.mjs';
import { startQuickstart } from './lib/quickstart.mjs';
import { findJavascript, findPhp, nearestFirst, testsOfC, testsOfJavascript, testsOfPhp, tryTests } from './lib/tests.mjs';

const USAGE = `usage: tests/mutants/run [options]
Makes slips in C, JavaScript and PHP, one at a time, and says which of them no test notices.

  --seed N        of the choice (default: a random one, which is printed)
  --count N       how many slips (default 300)
  --only TEXT     only in files whose path contains it; may be given again
  --kinds A,B     only these tests: unit, system, js, js-daemon, php (default: all)
  --patience N    seconds of tests for one slip (default 300); what was not noticed by then survives
  --minutes N     begin with no further slip after so long (default: no limit)
  --dir DIR       where source copy, build, logs and results go (default: a new folder)
  --list          only show the slips that were chosen
Slips that change nothing stand in tests/mutants/equivalent.txt with the reason. docs/testing.md says more.`;

const { values: options } = parseArgs({ options: {
  seed: { type: 'string' }, count: { type: 'string', default: '300' }, only: { type: 'string', multiple: true, default: [] },
  kinds: { type: 'string' }, patience: { type: 'string', default: '300' }, minutes: { type: 'string', default: 'Infinity' },
  dir: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
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
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(root, file), target);
  }
  for (const folder of ['tests', 'clients/js']) {
    const modules = path.join(root, folder, 'node_modules');
    if (!fs.existsSync(modules)) throw new Error(`Node's packages are missing: run "npm ci" in ${folder}/`);
    if (!fs.existsSync(path.join(source, folder, 'node_modules'))) fs.symlinkSync(fs.realpathSync(modules), path.join(source, folder, 'node_modules'));
  }
  return files;
}

/** Some more than are wanted, since the compiler refuses some; none overlaps another of its file. */
function choose(slips, count, random) {
  const shuffled = slips.map((slip) => [random(), slip]).sort(([a], [b]) => a - b).map(([, slip]) => slip);
  const chosen = [];
  for (const slip of shuffled) {
    if (chosen.length >= count) break;
    const overlaps = chosen.some((other) => other.file === slip.file && other.start < Math.max(slip.end, slip.start + 1) && slip.start < Math.max(other.end, other.start + 1));
    if (!overlaps) chosen.push(slip);
  }
  return chosen;
}

const fold = (text) => text.replace(/\s+/g, ' ').trim();

function describe(slip) {
  return `${slip.file}:${slip.line}: ${slip.rule}: ${fold(slip.before)} -> ${fold(slip.after)}`;
}

/** The test that notices, or undefined. */
async function whoNotices(slip, tests, judge) {
  let left = Number(options.patience) * 1000;
  for (const test of nearestFirst(tests, slip)) {
    if (left <= 0) return undefined;
    const limit = Math.max(20_000, 6 * test.milliseconds);
    const once = () => run(test.command, test.args, { cwd: test.cwd ?? judge.dir, env: test.env, limit });
    await judge.put(slip);
    const result = await once();
    await judge.takeBack(slip);
    left -= result.milliseconds;
    if (result.ok) continue;
    // A test that fails without the slip as well has noticed nothing.
    if (test.kind === 'unit' || (await once()).ok) return { ...test, over: result.over };
  }
  return undefined;
}

function judgeOf(language, source, dir, switches) {
  if (language === 'c') {
    const write = (number) => fs.writeFileSync(path.join(switches, 'now'), String(number));
    return { dir, put: (slip) => write(slip.number), takeBack: () => write(-1) };
  }
  const text = new Map();
  return {
    dir,
    put(slip) {
      const file = path.join(source, slip.file);
      text.set(slip.file, fs.readFileSync(file, 'utf8'));
      const before = text.get(slip.file);
      fs.writeFileSync(file, before.slice(0, slip.start) + slip.plain + before.slice(slip.end));
    },
    takeBack: (slip) => fs.writeFileSync(path.join(source, slip.file), text.get(slip.file)),
  };
}

async function main() {
  if (options.help) return say(USAGE);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 1e9));
  const dir = path.resolve(options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'esn-mutants-')));
  const source = path.join(dir, 'source');
  const until = Date.now() + Number(options.minutes) * 60_000;
  fs.mkdirSync(path.join(dir, 'logs'), { recursive: true });
  fs.chmodSync(dir, 0o755);
  const files = copyTree(source);
  const wanted = (slip) => !options.only.length || options.only.some((text) => slip.file.includes(text));
  const all = [...findC(source, files), ...findJavascript(source, files), ...findPhp(source, files)].filter(wanted);
  const equivalents = equivalentsIn(path.join(root, 'tests/mutants/equivalent.txt'));
  const different = all.filter((slip) => !equivalents.has(slip.file, slip.rule, fold(slip.before), fold(slip.after)));
  say(`seed ${seed}; ${all.length} slips are known, ${all.length - different.length} of them change nothing; in ${dir}`);
  const chosen = choose(different, Math.ceil(Number(options.count) * 1.3), randomFrom(seed));
  if (options.list) return chosen.forEach((slip) => say(describe(slip)));
  const built = await buildC({ source, dir, say }, chosen.filter((slip) => slip.language === 'c'));
  const others = chosen.filter((slip) => slip.language !== 'c');
  const judged = choose([...built.slips, ...others], Number(options.count), randomFrom(seed));
  const runsPhp = !options.kinds || options.kinds.split(',').includes('php');
  const quickstart = runsPhp && judged.some((slip) => slip.language === 'php') ? await startQuickstart(root, dir) : null;
  const results = [];
  for (const [language, tests] of [['c', testsOfC(source, built.build)], ['js', testsOfJavascript(source, built.build)], ['php', testsOfPhp(source, quickstart?.env)]]) {
    const mine = judged.filter((slip) => slip.language === language);
    if (!mine.length) continue;
    const chosenTests = tests.filter((test) => !options.kinds || options.kinds.split(',').includes(test.kind));
    const useful = await tryTests(chosenTests, language, { dir, switches: built.folder, say });
    const judge = judgeOf(language, source, dir, built.folder);
    for (const slip of mine) {
      if (Date.now() > until) break;
      const reached = nearestFirst(useful, slip).length;
      const test = await whoNotices(slip, useful, judge);
      results.push({ file: slip.file, line: slip.line, rule: slip.rule, before: fold(slip.before), after: fold(slip.after), by: test && `${test.kind} ${test.name}`, reached });
      fs.writeFileSync(path.join(dir, 'results.json'), JSON.stringify(results, null, 1));
      say(test ? `noticed   ${describe(slip)}  (${test.kind} ${test.name}${test.over ? ', which did not end' : ''})` : `SURVIVED  ${describe(slip)}  (${reached} tests come by)`);
    }
  }
  await quickstart?.stop();
  report(results, seed, judged.length);
}

function report(results, seed, chosen) {
  const survivors = results.filter((result) => !result.by);
  say(`\nseed ${seed}: ${results.length} of ${chosen} slips were tried, ${results.length - survivors.length} noticed (${(100 * (1 - survivors.length / results.length)).toFixed(1)} %)`);
  for (const one of survivors) say(`  ${one.file}:${one.line}: ${one.rule}: ${one.before} -> ${one.after}`);
}

await main();
