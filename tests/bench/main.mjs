// tests/bench/run: starts every server, measures in turns, prints the table, draws the pictures.
import { mkdirSync, writeFileSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readOptions } from './harness/options.mjs';
import { buildPrograms } from './harness/build.mjs';
import { checkNeeds } from './harness/needs.mjs';
import { describeMachine } from './harness/machine.mjs';
import { endAllServers } from './harness/processes.mjs';
import { removeSessionFolders } from './harness/session.mjs';
import { Figures } from './harness/figures.mjs';
import { scenarios } from './scenarios/index.mjs';
import { printTable } from './report/table.mjs';
import { drawPictures } from './report/pictures.mjs';
import { fillDocument } from './report/document.mjs';

const source = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

async function measureAll(context) {
  const wanted = (server) => !context.servers || context.servers.some((start) => server.name.startsWith(start));
  for (let round = 1; round <= context.rounds; round++) {
    for (const scenario of scenarios.filter(({ name }) => context.only.includes(name))) {
      process.stderr.write(`round ${round} of ${context.rounds}: ${scenario.name}`);
      const began = Date.now();
      for (const server of scenario.servers.filter(wanted)) await scenario.measure(context, server, round);
      process.stderr.write(` (${((Date.now() - began) / 1000).toFixed(1)} s)\n`);
    }
  }
}

async function measure(options) {
  checkNeeds();
  const programs = buildPrograms(source, options);
  mkdirSync(options.out, { recursive: true });
  const machine = describeMachine(options);
  writeFileSync(join(options.out, 'machine.json'), `${JSON.stringify(machine, null, 2)}\n`);
  const figures = new Figures(options.out);
  await measureAll({ ...options, programs, figures });
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (!options) return;
  if (!options.report) await measure(options);
  const figures = Figures.load(options.out);
  const machine = JSON.parse(readFileSync(join(options.out, 'machine.json'), 'utf8'));
  process.stdout.write(printTable(figures, machine));
  const pictures = drawPictures(figures, options.out);
  if (options.docs) fillDocument(source, figures, machine, pictures);
  process.stdout.write(`figures and pictures: ${options.out}\n`);
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    if (interrupted) return;
    interrupted = true;
    await endAllServers();
    removeSessionFolders();
    process.exit(1);
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
} finally {
  await endAllServers();
}
