// Slips that change nothing: FILE | RULE | BEFORE | AFTER | REASON, one a line. Lines move, so they do not count.
import fs from 'node:fs';

export function equivalentsIn(file) {
  const known = new Set();
  fs.readFileSync(file, 'utf8').split('\n').forEach((line, index) => {
    if (!line || line.startsWith('#')) return;
    const parts = line.split(' | ');
    if (parts.length < 5 || !parts[4].trim()) throw new Error(`${file}:${index + 1}: not FILE | RULE | BEFORE | AFTER | REASON`);
    known.add(parts.slice(0, 4).join(' | '));
  });
  return { has: (...parts) => known.has(parts.join(' | ')) };
}
