'use strict';

// Registered topics in MariaDB: the suite that `make check` runs on SQLite, against a server of its own.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { before, describe, test } = require('node:test');
const { MariaDb } = require('./lib/mariadb');
const { build, newFolder, source, tool } = require('./lib/paths');
const { run } = require('./lib/program');

const RESULT = /^\[ +(OK|FAILED) +\] (?:mariadb: )?(\w+)$/;

function results(output) {
  const found = new Map();
  for (const line of output.split('\n')) {
    const match = RESULT.exec(line.trim());
    if (match) {
      found.set(match[2], match[1] === 'OK');
    }
  }
  return found;
}

for (const program of ['test_acl', 'test_acl_rights', 'test_acl_failures']) {
  describe(`${program} on MariaDB`, () => {
    let ended;
    before(async () => {
      tool('mariadbd', 'mariadb-server');
      ended = await run([path.join(build, 'tests/unit', program), 'mariadb'], { env: { srcdir: source } });
    });
    test('passes', async (t) => {
      const cases = results(ended.stdout + ended.stderr);
      for (const [name, passed] of cases) {
        await t.test(name.replaceAll('_', ' '), () => assert.ok(passed, ended.stdout + ended.stderr));
      }
      assert.ok(cases.size > 0, `no test ran: ${ended.stdout}${ended.stderr}`);
      assert.equal(ended.code, 0, ended.stderr);
    });
  });
}

test('a server of the tests leaves the temporary tables of others where they are', async (t) => {
  const folder = newFolder('other-tables');
  const table = path.join(folder, '#sql-temptable-1-1-1.MAD');
  fs.writeFileSync(table, '');
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  t.after(() => (TMPDIR === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = TMPDIR)));
  const server = await MariaDb.create(folder);
  t.after(() => server.stop());
  assert.ok(fs.existsSync(table));
  assert.equal((await server.sql('SELECT @@tmpdir')).trim(), server.tmp);
});
