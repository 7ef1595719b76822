// Makes the built files: dist/es-web-notify.js for <script src>, .mjs for import without a bundler, .cjs for require(); the same
// of the core alone; declarations for require().

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

const CLASSIC = `const client = require('./es-web-notify.cjs');

Object.assign(globalThis, { EsWebNotify: client, NoPollSubscriber: client.NoPollSubscriber });
`;

/** One file of all that `source` needs; esbuild puts it together, terser makes it small. */
async function make(source, format, file) {
  const { outputFiles } = await build({
    entryPoints: [path.join(here, 'src', source)],
    bundle: true,
    minifySyntax: true,
    write: false,
    format,
    target: 'es2022',
    legalComments: 'none',
    external: ['es-web-notify', 'react', 'vue'],
    mangleProps: INTERNAL,
  });
  const { code } = await minify(outputFiles[0].text, {
    ecma: 2020,
    module: format === 'esm',
    toplevel: true,
    compress: { passes: 4, unsafe: true, unsafe_arrows: true, lhs_constants: false },
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
await make('react.js', 'cjs', 'react.cjs');
await make('vue.js', 'cjs', 'vue.cjs');
await fs.writeFile(path.join(folder, 'classic.cjs'), CLASSIC);

// require() has declarations of its own (TypeScript's TS1479), which say the same.
const types = process.argv[3] ?? path.join(here, 'types');
await fs.mkdir(types, { recursive: true });
for (const name of ['index', 'core', 'react', 'vue', 'classic']) {
  const text = await fs.readFile(path.join(here, 'types', `${name}.d.ts`), 'utf8');
  await fs.writeFile(path.join(types, `${name}.d.cts`), text.replaceAll("'./index.js'", "'./index.cjs'"));
}
