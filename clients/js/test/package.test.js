// The built files: up to date, small, and what each of them gives.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';

const MOST = { 'core.mjs': 7168, 'es-web-notify.js': 9850 };

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const files = ['es-web-notify.js', 'es-web-notify.mjs', 'es-web-notify.cjs', 'core.mjs', 'core.cjs'];
const frameworks = ['react.cjs', 'vue.cjs', 'classic.cjs'];
const types = ['index', 'core', 'react', 'vue', 'classic'].map((name) => `${name}.d.cts`);
let folder;
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'esn-build-'));
  execFileSync(process.execPath, [path.join(root, 'build.js'), folder, path.join(folder, 'types')]);
});
after(() => fs.rmSync(folder, { recursive: true }));

for (const file of [...files, ...frameworks]) {
  test(`dist/${file} is what npm run build makes of the sources`, () => {
    const read = (where) => fs.readFileSync(path.join(where, file), 'utf8');
    assert.equal(read(path.join(root, 'dist')), read(folder), 'run npm run build, and commit what it makes');
  });
}

for (const [file, most] of Object.entries(MOST)) {
  test(`dist/${file} has at most ${most} bytes, gzipped`, (t) => {
    const { length } = gzipSync(fs.readFileSync(path.join(folder, file)), { level: 9 });
    t.diagnostic(`${length} bytes`);
    assert.ok(length <= most, `${length}`);
  });
}

for (const file of types) {
  test(`types/${file} is what npm run build makes of the declarations`, () => {
    assert.equal(fs.readFileSync(path.join(root, 'types', file), 'utf8'), fs.readFileSync(path.join(folder, 'types', file), 'utf8'));
  });
}

// What goes over the wire, and what pages and other tabs say: docs/protocol.md, types/index.d.ts.
const WORDS = [
  ...['alive', 'subscribe', 'unsubscribe', 'ping', 'ep', 'topic', 'binded', 'private', 'clid', 'last_id', 'connid', 'secret', 'wait'],
  ...['ticket', 'bind_key', 'token', 'events', 'id', 'iat', 'requested', 'emitted', 'e', 'type', 'detail', 'timeout', 'retry'],
  ...['connected', 'subscribed', 'stopping', 'dropped', 'error', 'recovered', 'identity', 'uid', 'clid_instances', 'had'],
  ...['state', 'transport', 'who', 'held', 'at', 'head', 'status', 'frame', 'mark', 'refused'],
  ...['kind', 'message', 'final', 'topics', 'ready', 'off', 'then', 'on', 'once', 'abort', 'close', 'user'],
];

const WORDS_OF_THE_WHOLE = ['presence', 'whisper', 'counts', 'tab', 'gone', 'report'];

const sources = fs.readdirSync(path.join(root, 'src')).map((file) => fs.readFileSync(path.join(root, 'src', file), 'utf8'));
const ownNames = new Set(sources.flatMap((text) => text.match(/(?<![\w$])_[a-z]\w+/gi)).filter(Boolean));

for (const file of files) {
  test(`dist/${file} has the words of the wire as they are, and no name that was to be made shorter`, () => {
    const text = fs.readFileSync(path.join(folder, file), 'utf8');
    const words = file.startsWith('core') ? WORDS : [...WORDS, ...WORDS_OF_THE_WHOLE];
    for (const word of words) assert.match(text, new RegExp(`(?<![\\w$])${word}(?![\\w$])`), word);
    for (const name of ownNames) assert.equal(text.includes(`.${name}`) || text.includes(`${name}:`), false, name);
  });
}

test('the sources say nothing on the wire that begins as names of their own do', () => {
  for (const text of sources) {
    for (const [said] of text.matchAll(/(?:JSON\.stringify|speak|post|postMessage)\([^\n]*/g)) assert.equal(/[{,] *_\w+[:,} ]/.test(said), false, said);
  }
});

test('the classic script sets two globals and no more', () => {
  const page = vm.createContext({});
  vm.runInContext(fs.readFileSync(path.join(folder, files[0]), 'utf8'), page);
  assert.deepEqual(Object.keys(page), ['EsWebNotify', 'NoPollSubscriber']);
  assert.deepEqual(Object.keys(page.EsWebNotify), ['connect', 'NoPollSubscriber']);
  assert.equal(page.EsWebNotify.NoPollSubscriber, page.NoPollSubscriber);
});

test('import and require give the same names', async () => {
  const names = ['NoPollSubscriber', 'connect'];
  assert.deepEqual(Object.keys(await import('es-web-notify')), names);
  assert.deepEqual(Object.keys(await import(path.join(folder, files[1]))).sort(), names);
  assert.deepEqual(Object.keys(createRequire(import.meta.url)('es-web-notify')).sort(), names);
});

test('the licence is the project\'s', () => {
  const read = (where) => fs.readFileSync(path.join(root, where), 'utf8');
  assert.equal(read('LICENSE'), read('../../LICENSE'));
});

test('what is packed is what users need', () => {
  const packed = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root }))[0].files.map((file) => file.path);
  for (const wanted of ['LICENSE', 'README.md', 'types/index.d.cts', 'dist/core.mjs', 'src/react.js']) assert.ok(packed.includes(wanted), wanted);
  assert.deepEqual(packed.filter((name) => name.startsWith('test') || name.includes('use.')), []);
});

test('there is nothing else to install, and the lock file names no place to get it from', () => {
  const description = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.equal(description.dependencies, undefined);
  assert.equal(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8').includes('resolved'), false);
});
