'use strict';

// Registered topics in MariaDB: the suite that `make check` runs on SQLite, against a server of its own.

const assert = require('node:assert/strict');
const path = require('node:path');
const { before, describe, test } = require('node:test');
const { build, source, tool } = require('./lib/paths');
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
