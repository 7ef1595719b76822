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
  --only TEXT     only in files whose path contains it; may be given again
  --kinds A,B     only these tests: unit, system, js, js-daemon, php, php-broker (default: all)
  --jobs N        so many tests of C at a time (default 2)
  --patience N    seconds of tests of a kind for one slip (default 90); what was not noticed by then survives
  --minutes N     begin with no further slip after so long (default: no limit)
  --dir DIR       where source copy, build, logs and results go (default: a new folder)
  --list          only show the slips that were chosen
Slips that change nothing stand in tests/mutants/equivalent.txt with the reason. docs/testing.md says more.`;

const { values: options } = parseArgs({ options: {
  seed: { type: 'string' }, count: { type: 'string', default: '300' }, only: { type: 'string', multiple: true, default: [] },
  kinds: { type: 'string' }, patience: { type: 'string', default: '90' }, jobs: { type: 'string', default: '2' }, minutes: { type: 'string', default: 'Infinity' },
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

/** Each language with its tests in stages, from near and quick to far and slow: the second looks at what the first missed. */
function stagesOf(source, dir, build) {
  const slots = Array.from({ length: Number(options.jobs) }, (_, i) => switchSlot(path.join(dir, 'slots', String(i))));
  const inPlace = (name, traced) => [sourceSlot(source, path.join(dir, 'slots', name), { traced })];
  const kindOf = (tests, kind) => tests.filter((test) => test.kind === kind);
  const c = build ? testsOfC(source, build) : [];
  const js = testsOfJavascript(source, build);
  return [
    { language: 'c', slots, stages: [() => kindOf(c, 'unit'), () => kindOf(c, 'system')] },
    { language: 'js', slots: inPlace('js', true), stages: [() => kindOf(js, 'js'), () => kindOf(js, 'js-daemon')] },
    { language: 'php', slots: inPlace('php', false), stages: [() => testsOfPhp(source), async (started) => {
      started.push(await startQuickstart(root, dir));
      return testsOfPhp(source, started.at(-1).env);
    }] },
  ];
}

/** Lets the tests of one language look at its slips, stage by stage. */
async function judgeLanguage({ slots, stages }, slips, { logs, until, tell }) {
  const started = [];
  let left = slips;
  for (const [number, stage] of stages.entries()) {
    if (!left.length) break;
    const tests = (await stage(started)).filter((test) => !options.kinds || options.kinds.split(',').includes(test.kind));
    if (!tests.length) continue;
    const useful = await tryTests(tests, { slots, logs, say });
    const patience = Number(options.patience) * 1000;
    left = await judgeAll(left, useful, { slots, patience, until, told: (slip, { by }) => by && tell(slip, by) });
    say(`  ${left.length} left after stage ${number + 1} of ${slips[0].language}`);
  }
  for (const slip of left) tell(slip, undefined);
  await Promise.all(started.map((quickstart) => quickstart.stop()));
}

async function main() {
  if (options.help) return say(USAGE);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 1e9));
  const dir = path.resolve(options.dir ?? fs.mkdtempSync(path.join(os.tmpdir(), 'esn-mutants-')));
  const source = path.join(dir, 'source');
  const logs = path.join(dir, 'logs');
  const until = Date.now() + Number(options.minutes) * 60_000;
  fs.mkdirSync(logs, { recursive: true });
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
  const results = [];
  const tell = (slip, by) => {
    results.push({ file: slip.file, line: slip.line, rule: slip.rule, before: fold(slip.before), after: fold(slip.after), by, reached: slip.reached });
    fs.writeFileSync(path.join(dir, 'results.json'), JSON.stringify(results, null, 1));
    say(by ? `noticed   ${describe(slip)}  (${by})` : `SURVIVED  ${describe(slip)}  (${slip.reached ?? 0} tests come by)`);
  };
  await Promise.all(stagesOf(source, dir, built.build).map((one) => {
    const mine = judged.filter((slip) => slip.language === one.language);
    return mine.length && judgeLanguage(one, mine, { logs, until, tell });
  }));
  report(results, seed, judged.length);
}

function report(results, seed, chosen) {
  const survivors = results.filter((result) => !result.by);
  say(`\nseed ${seed}: ${results.length} of ${chosen} slips were tried, ${results.length - survivors.length} noticed (${(100 * (1 - survivors.length / results.length)).toFixed(1)} %)`);
  for (const one of survivors) say(`  ${one.file}:${one.line}: ${one.rule}: ${one.before} -> ${one.after}`);
}

await main();
