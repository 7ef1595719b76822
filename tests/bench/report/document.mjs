// Fills the measured parts of docs/performance.md, between "<!-- NAME: begin -->" and "<!-- NAME: end -->".
import { basename, join } from 'node:path';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { markdownBars, markdownTable, markdownTls, markdownTransports } from './table.mjs';
import { markdownMillion } from './million.mjs';

function replacePart(text, name, content) {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no part ${name}`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

function markdownMachine(figures, machine) {
  return [
    `Taken on ${machine.date}: ${machine.processors}, ${machine.memory_gib} GiB, ${machine.kernel}; medians of ${figures.rounds} rounds.`,
    `Debian packages: ${machine.packages.join(', ')}.`,
  ].join('\n');
}

export function fillDocument(source, figures, machine, pictures) {
  if (machine.quick) throw new Error('figures of a quick run do not go into the documents');
  const path = join(source, 'docs/performance.md');
  let text = readFileSync(path, 'utf8');
  text = replacePart(text, 'machine', markdownMachine(figures, machine));
  text = replacePart(text, 'bars', markdownBars(figures));
  text = replacePart(text, 'table', markdownTable(figures));
  text = replacePart(text, 'transports', markdownTransports(figures));
  text = replacePart(text, 'tls', markdownTls(figures));
  text = replacePart(text, 'million', markdownMillion(figures));
  writeFileSync(path, text);
  mkdirSync(join(source, 'docs/pictures'), { recursive: true });
  for (const picture of pictures) copyFileSync(picture, join(source, 'docs/pictures', basename(picture)));
}
