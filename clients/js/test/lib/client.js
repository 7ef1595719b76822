// The client as ESN_CLIENT says: its sources, or one of the built files. All tests run on each.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const fileOf = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

const kinds = {
  src: () => import('../../src/index.js'),
  module: () => import('../../dist/es-web-notify.mjs'),
  commonjs: () => createRequire(import.meta.url)('../../dist/es-web-notify.cjs'),
  core: () => import('../../dist/core.mjs'),
  /** As a script tag does it: in the global scope. */
  classic() {
    const file = fileOf('dist/es-web-notify.js');
    vm.runInThisContext(fs.readFileSync(file, 'utf8'), { filename: file });
    return globalThis.EsWebNotify;
  },
};

export const kind = process.env.ESN_CLIENT ?? 'src';
/** What the core has not: sharing between tabs, presence(), whisper(). */
export const isWhole = kind !== 'core';
const whole = await kinds[kind]();
export const { connect } = whole;
export const NoPollSubscriber = whole.NoPollSubscriber; // the core has none
