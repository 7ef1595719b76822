// Makes the built files: dist/es-web-notify.js for <script src>, .mjs for import without a bundler, .cjs for require().

import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? path.join(here, 'dist');

// Names that the modules say to each other alone: not to pages, not to the broker, and not to another tab, whose page may
// have another version of the client.
const INTERNAL = [
  ...['after', 'alive', 'announce', 'begin', 'change', 'cut', 'enter', 'follow', 'frame', 'hear', 'hint', 'lasted', 'lead'],
  ...['leave', 'mark', 'names', 'others', 'over', 'position', 'probe', 'refuse', 'remembered', 'resume', 'speak', 'subscription'],
  ...['sync', 'take', 'tell', 'why', 'worked'],
];

/** One file of all that `source` needs; esbuild puts it together, terser makes it small. */
async function make(source, format, file) {
  const { outputFiles } = await build({
    entryPoints: [path.join(here, 'src', source)],
    bundle: true,
    write: false,
    format,
    target: 'es2022',
    legalComments: 'none',
  });
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2020,
    module: format === 'esm',
    toplevel: true,
    compress: { passes: 3 },
    mangle: { properties: { regex: new RegExp(`^(${INTERNAL.join('|')})$`) } },
    format: { ascii_only: true },
  });
  await fs.writeFile(path.join(folder, file), `${code}\n`);
}

await fs.mkdir(folder, { recursive: true });
await make('classic.js', 'iife', 'es-web-notify.js');
await make('index.js', 'esm', 'es-web-notify.mjs');
await make('index.js', 'cjs', 'es-web-notify.cjs');
