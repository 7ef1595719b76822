'use strict';

// What docs/operate.md tells whoever keeps the broker running: new secrets, copies of the registered topics, what is logged.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { bindKey, keyPair } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { source, tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { until } = require('./lib/wait');

const document = fs.readFileSync(path.join(source, 'docs/operate.md'), 'utf8');

/** The cells of the rows of the table that begins with these words. */
function table(head) {
  const lines = document.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${head}`));
  assert.ok(at >= 0, `docs/operate.md has a table "${head}"`);
  const rows = lines.slice(at + 2, lines.indexOf('', at));
  return rows.map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

/** All that the programs' sources say. */
function sources(folder) {
  return fs.readdirSync(path.join(source, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.c'))
    .map((entry) => fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
    .join('');
}

test('what is to be looked for in the journal is what the programs say', () => {
  const all = ['common', 'fanout', 'fcgi-handlers', 'outbox'].map(sources).join('');
  const words = table('in the journal').map(([cell]) => /`([^`]+)`/.exec(cell)[1]);
  assert.ok(words.length >= 6);
  assert.deepEqual(words.filter((text) => !all.includes(`"${text}`)), []);
});

describe('who keeps the broker running', () => {
  let bound;
  let stack;
  before(async () => {
    bound = await Bound.start();
    stack = bound.stack;
    await bound.add('orders', { owner: 'ana', sub: ['luis'] });
  });
  after(() => bound?.stop());

  const newToken = () => crypto.randomBytes(24).toString('hex');
  const reload = (program) => program.signal('SIGHUP');
  const post = async (token) => (await stack.post({ ep: ['news'], e: { type: 'x' } }, { url: `${bound.url}event`, token })).status;
  const look = async (token) => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await request('http://localhost/state', { agent: false, socketPath: stack.socketPath, headers })).status;
  };

  /** None of its workers of before the reload is left, who might answer somebody yet. */
  async function renewWorkers(handler) {
    const before = handler.children();
    reload(handler);
    await until('all its workers are others', () => {
      const now = handler.children();
      return now.length > 0 && !now.some((pid) => before.includes(pid));
    });
  }

  /** As the document orders it: the new one is added, given out, and the old one taken away. */
  async function exchange(file, program, status, old, refused) {
    const next = newToken();
    assert.deepEqual([await status(old), await status(next)], [200, refused]);
    stack.writeTokens(file, [old, next]);
    reload(program);
    await until('the new one is taken', async () => (await status(next)) === 200);
    assert.equal(await status(old), 200, 'nobody is refused in between');
    stack.writeTokens(file, [next]);
    reload(program);
    await until('the old one is not', async () => (await status(old)) === refused);
    assert.equal(await status(next), 200);
    stack.writeTokens(file, [old]);
    reload(program);
    await until('all is as before', async () => (await status(old)) === 200 && (await status(next)) === refused);
  }

  test('gives out a new token for publishing', () =>
    exchange('publish.token', stack.handlers[0], post, stack.publishToken, 404));

  test('gives out a new token for looking in', () =>
    exchange('admin.token', stack.daemon, look, stack.adminToken, 401));

  test('exchanges the pair for bind keys: those of the moment are refused, new ones taken', async () => {
    const statusOf = async (key) => (await bound.post({ topic: 'orders', binded: true }, { key })).status;
    const keyOf = (name) => bindKey('ana', { key: keyPair(name).publicKey });
    for (const [old, next] of [[undefined, 'next'], ['next', undefined]]) {
      assert.equal(await statusOf(keyOf(old)), 200);
      stack.writeTokens('bind.key', [keyPair(next).privateKey]);
      await Promise.all([stack.handlers[0], bound.web.handler].map(renewWorkers)); // both read it, with [binding] mode = rsa
      await until('keys of the new pair are taken', async () => (await statusOf(keyOf(next))) === 200);
      await until('keys of the old one are refused', async () => (await statusOf(keyOf(old))) === 400);
    }
  });

  test('copies the registered topics while all runs, and puts them back', async () => {
    const sqlite = async (command) => {
      const ended = await run([tool('sqlite3', 'sqlite3'), bound.sqlite, command]);
      assert.equal(ended.code, 0, ended.stderr);
    };
    const [copying] = /\.backup/.exec(table('what | how').flat().join()) ?? [];
    assert.equal(copying, '.backup');
    const copy = path.join(stack.folder, 'copy.db');
    const receivers = async () => (await bound.publish('orders', { as: 'ana' })).receivers;
    const luis = await bound.subscribe('luis', ['orders']);
    assert.equal(await receivers(), 1);
    await sqlite(`.backup ${copy}`);
    await bound.esnctl('topic', 'remove', '--', 'orders');
    assert.equal((await bound.publish('orders', { as: 'ana' })).status, 403);
    await sqlite(`.restore ${copy}`);
    assert.equal(await receivers(), 1, 'from the next event on, for the stream that is open');
    await luis.close();
  });
});
