// C: all slips of a run are compiled in as switches, so that one build serves; each test says which it comes by.
import fs from 'node:fs';
import path from 'node:path';
import { run } from './process.mjs';
import { slipsOfText } from './slips.mjs';
import { lineOf } from './text.mjs';

const FOLDERS = ['common', 'fanout', 'fcgi-handlers', 'esnctl', 'outbox'];
const ROUNDS = 12; // of building without what the compiler refuses

export function findC(source, files) {
  return files.filter((file) => FOLDERS.includes(file.split('/')[0]) && file.endsWith('.c')).flatMap((file) => {
    const text = fs.readFileSync(path.join(source, file), 'utf8');
    return slipsOfText(text, 'c').map((slip) => ({ ...slip, file, language: 'c', line: lineOf(text, slip.start) }));
  });
}

/** Those of the chosen slips that the compiler took; they do not overlap. */
export async function buildC({ source, dir, say }, slips) {
  const state = { source, build: path.join(dir, 'build'), folder: path.join(dir, 'switch'), originals: new Map() };
  fs.mkdirSync(state.folder, { recursive: true });
  fs.mkdirSync(state.build, { recursive: true });
  let left = slips;
  await configure(state, dir);
  for (let round = 1; round <= ROUNDS; round++) {
    writeSources(state, left);
    const log = path.join(dir, 'make.log');
    const { ok } = await run('make', ['-k', '-j2', 'all', 'check', 'TESTS=', `CPPFLAGS=-include ${state.folder}/switch.h`,
      `LDFLAGS=${linker()} ${state.folder}/switch.o`], { cwd: state.build, log, limit: 3_600_000 });
    if (ok) return { build: state.build, slips: left };
    const refused = refusedBy(fs.readFileSync(log, 'utf8'), state, left);
    if (!refused.size) throw new Error(`the tree with slips does not build: ${log}`);
    left = left.filter((slip) => !refused.has(slip));
    say(`  the compiler refuses ${refused.size} slips`);
  }
  throw new Error('the tree with slips does not build');
}

/** lld, where it is there, links the programs of the tests in a fraction of the time. */
function linker() {
  return process.env.PATH.split(':').some((folder) => fs.existsSync(path.join(folder, 'ld.lld'))) ? '-fuse-ld=lld' : '';
}

async function configure(state, dir) {
  const here = path.dirname(new URL(import.meta.url).pathname);
  for (const file of ['switch.h', 'switch.c']) fs.copyFileSync(path.join(here, file), path.join(state.folder, file));
  const steps = [
    ['clang', ['-c', '-O1', '-o', 'switch.o', 'switch.c'], state.folder],
    ['clang', ['-shared', '-fPIC', '-D_GNU_SOURCE', '-o', 'chooser.so', path.join(state.source, 'tests/unit/shuffle.c'), '-ldl'], state.folder],
    ['autoreconf', ['-fi'], state.source],
    [path.join(state.source, 'configure'), ['CC=clang', 'CFLAGS=-O1 -g -fsanitize=address -fno-omit-frame-pointer -ferror-limit=0 -Werror=pointer-type-mismatch'
      + ' -Werror=conditional-type-mismatch -Werror=int-conversion -Werror=incompatible-pointer-types -Werror=incompatible-pointer-types-discards-qualifiers'], state.build],
  ];
  for (const [command, args, cwd] of steps) {
    if (fs.existsSync(path.join(state.build, 'Makefile')) && cwd !== state.folder) continue;
    const log = path.join(dir, `${path.basename(command)}.log`);
    if (!(await run(command, args, { cwd, log })).ok) throw new Error(`${command} failed: ${log}`);
  }
}

/** A source with its slips switched in; each is told at which lines it stands then. */
export function switchedText(original, slips) {
  let text = '';
  let at = 0;
  for (const slip of [...slips].sort((a, b) => a.start - b.start)) {
    text += original.slice(at, slip.start);
    const edit = slip.text.replace(/\b(ESN_SLIP\w*)\(@/g, `$1(${slip.number}`);
    slip.lines = [lineOf(text, text.length), lineOf(text + edit, text.length + edit.length)];
    text += edit;
    at = slip.end;
  }
  return text + original.slice(at);
}

/** Writes the sources with what is left. */
function writeSources({ source, originals }, slips) {
  for (const file of new Set([...slips.map((slip) => slip.file), ...originals.keys()])) {
    const target = path.join(source, file);
    if (!originals.has(file)) originals.set(file, fs.readFileSync(target, 'utf8'));
    const original = originals.get(file);
    const text = switchedText(original, slips.filter((one) => one.file === file));
    if (fs.readFileSync(target, 'utf8') !== text) fs.writeFileSync(target, text);
  }
}

function refusedBy(log, { originals }, slips) {
  const refused = new Set();
  for (const [, file, line] of log.matchAll(/^(\S+?\.c):(\d+):\d+: error:/gm)) {
    const name = [...originals.keys()].find((one) => file.endsWith(`/${one}`) || file === one);
    for (const slip of slips) {
      if (slip.file === name && slip.lines[0] <= Number(line) && Number(line) <= slip.lines[1]) refused.add(slip);
    }
  }
  return refused;
}
