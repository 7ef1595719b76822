// Makes the built files: dist/es-web-notify.js for <script src>, .mjs for import without a bundler, .cjs for require().

import { build } from 'esbuild';

const folder = process.argv[2] ?? new URL('dist', import.meta.url).pathname;
/** @type {import('esbuild').BuildOptions} */
const shared = {
  bundle: true,
  minify: true,
  target: 'es2022',
  charset: 'ascii',
  legalComments: 'none',
  absWorkingDir: new URL('.', import.meta.url).pathname,
};

await Promise.all([
  build({ ...shared, entryPoints: ['src/classic.js'], format: 'iife', outfile: `${folder}/es-web-notify.js` }),
  build({ ...shared, entryPoints: ['src/index.js'], format: 'esm', outfile: `${folder}/es-web-notify.mjs` }),
  build({ ...shared, entryPoints: ['src/index.js'], format: 'cjs', outfile: `${folder}/es-web-notify.cjs` }),
]);
