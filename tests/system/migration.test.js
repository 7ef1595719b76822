'use strict';

// schema/migrate.md: its questions, run as they stand there, name the rows that its scripts refuse, and no others.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { MariaDb } = require('./lib/mariadb');
const { newFolder, source, tool } = require('./lib/paths');
const { run } = require('./lib/program');

const schema = (name) => fs.readFileSync(path.join(source, 'schema', name), 'utf8');
const blocks = [...schema('migrate.md').matchAll(/```sql\n([^]*?)```/g)].map((found) => found[1]);
const [ofMariaDb, ofDisguise, mend, ofSqlite] = blocks;

// Values of the columns endpoint, owner, pub, sub, pub_password; what is missing is harmless.
const bytes = (hex) => `x'${hex}'`;
const BOTH = {
  'a row that is right': {},
  'nothing but a topic': { owner: 'NULL', pub: 'NULL', sub: 'NULL', pub_password: 'NULL' },
  'lists of blanks': { pub: "'   '", sub: "' [] '" },
  'a list in a list': { pub: '\'[["ana"]]\'' },
  'other letters': { endpoint: "'casa/ñandú'", owner: "'李雷'", pub: '\'["李雷"]\'' },
  'a topic of blanks': { endpoint: "'  '" },
  'no topic': { endpoint: 'NULL' },
  'an empty topic': { endpoint: "''" },
  'a list of words': { pub: "'ana,luis'" },
  'an object': { pub: "'{}'" },
  'a text': { sub: '\'"ana"\'' },
  'a number': { sub: "'7'" },
  'the word null': { pub: "'null'" },
  'half a list': { sub: '\'["ana"\'' },
  'a list and more': { sub: "'[] x'" },
  'a line break for a list': { pub: "'\n'" },
};
const BLOBS = {
  'topic, owner and lists as bytes': { endpoint: bytes('61'), owner: bytes('61'), pub: bytes('5b5d'), sub: bytes('5b2261225d') },
  'a topic of bytes': { endpoint: bytes('61') },
  'an owner of bytes': { owner: bytes('61') },
  'a list of bytes': { pub: bytes('5b5d') },
  'a list of bytes that is none': { pub: bytes('7b7d') },
  'a password of bytes': { pub_password: bytes('61') },
  'a topic that is no UTF-8': { endpoint: bytes('61e9') },
  'an owner that is no UTF-8': { owner: bytes('e9') },
  'a list that is no UTF-8': { sub: bytes('5b22e9225d') },
  'UTF-8 as bytes': { endpoint: bytes('c3a9') },
};
const LONG = {
  'an owner of 255 letters': { owner: "REPEAT('ñ', 255)" },
  'an owner of 256': { owner: "REPEAT('ñ', 256)" },
  'a password of 256': { pub_password: "REPEAT('x', 256)" },
  'a topic of 65,535 bytes': { endpoint: "REPEAT('x', 65535)" },
  'a topic of 65,536': { endpoint: "REPEAT('x', 65536)" },
};

const insert = (row) => {
  const whole = { endpoint: "'a/b'", owner: "'ana'", pub: '\'["luis", 7]\'', sub: '\'["+"]\'', pub_password: "''", ...row };
  return `INSERT INTO registered_endpoints (${Object.keys(whole)}) VALUES (${Object.values(whole)});\n`;
};

/** The rows' names by whether they are shown and whether they are refused; both have to be the same. */
async function expectSame(database, tableSql, rows) {
  const shown = [];
  const refused = [];
  for (const [name, row] of Object.entries(rows)) {
    await database.begin(`${tableSql}${insert({ endpoint: "'other'" })}${insert(row)}`);
    if ((await database.ask()) !== '') {
      shown.push(name);
    }
    if (!(await database.migrate())) {
      refused.push(name);
      assert.equal(await database.count(), 0, `${name}: part of it was copied`);
    } else {
      assert.equal(await database.count(), 2);
    }
  }
  assert.deepEqual(shown, refused);
  assert.ok(refused.length > 0 && refused.length < Object.keys(rows).length);
}

async function expectTwice(database, tableSql) {
  await database.begin(`${tableSql}${insert({})}${insert({})}`);
  assert.notEqual(await database.ask(), '');
  assert.equal(await database.migrate(), false);
  await database.begin(`${tableSql}${insert({ endpoint: "'casa'" })}${insert({ endpoint: "'CASA'" })}`);
  assert.equal(await database.ask(), '');
  assert.equal(await database.migrate(), true);
}

const columns = (type) => ['endpoint', 'owner', 'pub', 'sub', 'pub_password'].map((name) => `${name} ${type}`);
const table = (type, options = '') => `CREATE TABLE registered_endpoints (${columns(type)})${options};\n`;

describe('in SQLite', () => {
  const folder = newFolder('migration');
  let file;
  let count = 0;
  const sqlite = (input) => run([tool('sqlite3', 'sqlite3'), '-bail', file], { input });
  const database = {
    async begin(sql) {
      file = path.join(folder, `${(count += 1)}.db`);
      assert.equal((await sqlite(`${schema('sqlite.sql')}${sql}`)).code, 0);
    },
    ask: async () => {
      const asked = await sqlite(ofSqlite);
      assert.equal(asked.code, 0, asked.stderr);
      return asked.stdout;
    },
    migrate: async () => (await sqlite(schema('migrate-sqlite.sql'))).code === 0,
    count: async () => Number((await sqlite('SELECT COUNT(*) FROM registered_topics;')).stdout),
  };

  for (const type of ['TEXT', 'BLOB', 'VARCHAR(200) COLLATE NOCASE']) {
    test(`columns of ${type}`, () => expectSame(database, table(type), { ...BOTH, ...BLOBS }));
    test(`columns of ${type}: the same topic twice`, () => expectTwice(database, table(type)));
  }
});

describe('in MariaDB', () => {
  let server;
  before(async () => {
    server = await MariaDb.create(newFolder('migration'));
  });
  after(() => server.stop());
  const sql = (text) => server.sql(`SET NAMES utf8mb4;\n${text}`);
  const database = {
    begin: (text) =>
      sql(`DROP DATABASE notify; CREATE DATABASE notify CHARACTER SET latin1; USE notify;\n${schema('mariadb.sql')}${text}`),
    ask: () => sql(ofMariaDb + ofDisguise),
    migrate: () => server.sql(schema('migrate-mariadb.sql')).then(
      () => true,
      () => false,
    ),
    count: async () => Number(await server.sql('SELECT COUNT(*) FROM registered_topics')),
  };

  for (const set of ['utf8mb4', 'utf8mb4 COLLATE utf8mb4_nopad_bin', 'utf8mb3']) {
    test(`a table in ${set}`, () =>
      expectSame(database, table('MEDIUMTEXT', ` CHARACTER SET ${set}`), { ...BOTH, ...LONG }));
  }
  test('columns of bytes', () => expectSame(database, table('MEDIUMBLOB'), { ...BOTH, ...BLOBS, ...LONG }));
  test('the same topic twice', () => expectTwice(database, table('MEDIUMTEXT', ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin')));

  const latin1 = table('TEXT', ' CHARACTER SET latin1');
  test('letters of latin1', async () => {
    await database.begin(latin1 + insert({ endpoint: "'casa/ñandú'", owner: "'Zoë'" }));
    assert.equal(await database.ask(), '');
    assert.equal(await database.migrate(), true);
    assert.equal(await sql('SELECT topic, owner FROM registered_topics'), 'casa/ñandú\tZoë\n');
  });

  // As an application writes whose connection says latin1 and sends UTF-8.
  for (const set of ['latin1', 'utf8mb4']) {
    for (const column of ['endpoint', 'owner', 'pub', 'sub']) {
      test(`UTF-8 that a table in ${set} takes for latin1, as ${column}`, async () => {
        const value = column === 'pub' || column === 'sub' ? '\'["李雷"]\'' : "'李雷'";
        await database.begin(`${table('TEXT', ` CHARACTER SET ${set}`)}SET NAMES latin1;\n${insert({ [column]: value })}`);
        assert.notEqual(await database.ask(), '');
        await assert.rejects(server.sql(schema('migrate-mariadb.sql')), /utf8_in_disguise/);
        assert.equal(await database.count(), 0);
        await sql(mend);
        assert.equal(await database.ask(), '');
        assert.equal(await database.migrate(), true);
        const name = column === 'endpoint' ? 'topic' : column;
        assert.equal(await sql(`SELECT ${name} = ${value} FROM registered_topics`), '1\n');
      });
    }
  }
});
