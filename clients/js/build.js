// Makes the built files: dist/es-web-notify.js for <script src>, .mjs for import without a bundler, .cjs for require().

import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? path.join(here, 'dist');

// Names that the modules say to each other alone begin with _, and only these are made shorter. Names of the wire, of pages, of
// the browser and of what tabs say to each other (another tab's page may have another version of the client) don't.
const INTERNAL = /^_/;

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
    compress: { passes: 4, unsafe: true, unsafe_arrows: true, unsafe_methods: true },
    mangle: { properties: { regex: INTERNAL } },
    format: { ascii_only: true },
  });
  await fs.writeFile(path.join(folder, file), `${code}\n`);
}

await fs.mkdir(folder, { recursive: true });
await make('classic.js', 'iife', 'es-web-notify.js');
await make('index.js', 'esm', 'es-web-notify.mjs');
await make('index.js', 'cjs', 'es-web-notify.cjs');
await make('core.js', 'esm', 'core.mjs');
await make('core.js', 'cjs', 'core.cjs');
