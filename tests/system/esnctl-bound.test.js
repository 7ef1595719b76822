'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, beforeEach, describe, test } = require('node:test');
const { MariaDb } = require('./lib/mariadb');
const { newFolder, programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { claims, ticket } = require('./lib/tickets');

function iniText(sections) {
  return Object.entries(sections)
    .map(([name, keys]) => `[${name}]\n${Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join('')}`)
    .join('');
}

/** esnctl with a configuration in a folder of its own. */
class Operator {
  constructor(sections) {
    this.folder = newFolder('ctl');
    this.file = path.join(this.folder, 'es-web-notify.conf');
    fs.writeFileSync(this.file, iniText(sections));
  }

  call(...words) {
    return this.callWith(undefined, ...words);
  }

  callWith(input, ...words) {
    return run([programs.esnctl, ...words], { env: { ESN_CONF: this.file }, cwd: this.folder, input });
  }

  async good(...words) {
    const ended = await this.call(...words);
    assert.equal(ended.code, 0, `${words.join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  }

  async bad(code, pattern, ...words) {
    const ended = await this.call(...words);
    assert.equal(ended.code, code, `${words.join(' ')}: ${ended.stdout}${ended.stderr}`);
    assert.match(ended.stderr, pattern);
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('esnctl keygen', () => {
  let operator;
  before(() => {
    operator = new Operator({});
  });
  after(() => operator?.remove());
  const stat = (name) => fs.statSync(path.join(operator.folder, name));
  const read = (name) => fs.readFileSync(path.join(operator.folder, name), 'utf8');

  test('makes all that the programs need, for owner and group alone', async () => {
    const said = await operator.good('keygen');
    for (const name of ['bind.key', 'bind.pub', 'ticket.secret', 'publish.token', 'admin.token', 'token.keys']) {
      assert.equal((stat(name).mode & 0o777).toString(8), '640', name);
      assert.equal(said.includes(`= ${path.join(operator.folder, name)}\n`), name !== 'bind.pub', said);
    }
    const secrets = ['ticket.secret', 'publish.token', 'admin.token', 'token.keys'].map(read);
    assert.ok(secrets.every((secret) => /^[0-9a-f]{64}\n$/.test(secret)));
    assert.equal(new Set(secrets).size, 4);
    const sealed = crypto.publicEncrypt(read('bind.pub'), Buffer.from('x'));
    assert.equal(crypto.privateDecrypt(read('bind.key'), sealed).toString(), 'x');
    fs.writeFileSync(operator.file, `${said}\n[acl]\nfile = topics.db\n`);
    await operator.bad(1, /topics\.db: is not there; make it with: esnctl topic create-tables/, 'check-config');
    await operator.good('topic', 'create-tables');
    assert.match(await operator.good('check-config'), /good/);
    fs.writeFileSync(path.join(operator.folder, 'password'), 'a password\n', { mode: 0o600 });
    fs.appendFileSync(operator.file, 'password_file = password\n');
    assert.match(await operator.good('check-config'), /good/);
    assert.equal(await operator.good('topic', 'list'), '');
  });

  test('root gives them to the group of the folder', async () => {
    const folder = path.join(operator.folder, 'shared');
    fs.mkdirSync(folder);
    const isRoot = process.getuid() === 0;
    const group = isRoot ? 65534 : process.getgid();
    fs.chownSync(folder, process.getuid(), group);
    await operator.good('keygen', '--dir', 'shared');
    for (const name of ['bind.key', 'bind.pub', 'ticket.secret', 'publish.token', 'admin.token']) {
      assert.equal(stat(`shared/${name}`).gid, group, name);
      assert.equal(stat(`shared/${name}`).uid, process.getuid(), name);
    }
    assert.equal((stat('shared/bind.key').mode & 0o777).toString(8), '640');
  });

  test('overwrites nothing, and makes nothing when something is there', async () => {
    fs.mkdirSync(path.join(operator.folder, 'full'));
    await operator.good('keygen', '--dir', 'full');
    const before = read('full/ticket.secret');
    await operator.bad(1, /there already/, 'keygen', '--dir', 'full');
    fs.mkdirSync(path.join(operator.folder, 'half'));
    fs.symlinkSync('/nowhere', path.join(operator.folder, 'half/admin.token'));
    await operator.bad(1, /there already/, 'keygen', '--dir', 'half');
    assert.deepEqual(fs.readdirSync(path.join(operator.folder, 'half')), ['admin.token']);
    assert.equal(read('full/ticket.secret'), before);
  });

  test('makes what is named, of the size that is asked for', async () => {
    fs.mkdirSync(path.join(operator.folder, 'some'));
    await operator.good('keygen', '--dir', 'some', '--bits', '3072', 'publish', 'bind');
    assert.deepEqual(fs.readdirSync(path.join(operator.folder, 'some')).sort(), ['bind.key', 'bind.pub', 'publish.token']);
    const key = crypto.createPublicKey(read('some/bind.pub'));
    assert.equal(key.asymmetricKeyDetails.modulusLength, 3072);
    await operator.bad(2, /no "nonsense"/, 'keygen', 'nonsense');
    await operator.bad(2, /--bits/, 'keygen', '--bits', '1024', 'bind');
    await operator.bad(1, /none\/admin.token/, 'keygen', '--dir', 'none', 'admin');
  });
});

for (const database of ['sqlite', 'mariadb']) {
  describe(`esnctl topic, follow and password on ${database}`, () => {
    let operator;
    let server;
    let folder;
    before(async () => {
      folder = newFolder('ctl-db');
      server = database === 'mariadb' ? await MariaDb.create(folder) : undefined;
      operator = new Operator({ acl: server ? server.config : { kind: 'sqlite', file: 'topics.db' } });
    });
    after(async () => {
      await server?.stop();
      operator?.remove();
      fs.rmSync(folder, { recursive: true, force: true });
    });
    const show = async (topic) => JSON.parse(await operator.good('topic', '--json', 'show', topic));
    const topics = async () => JSON.parse(await operator.good('topic', '--json', 'list')).map(({ topic }) => topic);
    const dropTables = async () =>
      server ? server.sql('DROP TABLE IF EXISTS topic_followers, registered_topics') : fs.rmSync(path.join(operator.folder, 'topics.db'), { force: true });
    beforeEach(async () => {
      await dropTables();
      await operator.good('topic', 'create-tables');
      await operator.good('topic', 'add', 'a/b');
    });

    test('tables are made, also when they are there', async () => {
      await dropTables();
      await operator.bad(1, /topics/, 'topic', 'list');
      await operator.good('topic', 'create-tables');
      await operator.good('topic', 'create-tables');
      assert.deepEqual(await topics(), []);
    });

    test('a topic is added with all that it has, shown, changed and removed', async () => {
      await operator.good('topic', 'remove', 'a/b');
      await operator.good('topic', '--owner', 'ana', '--pub', 'sensor', '--sub', 'luis', '--sub', '7', '--sub', '+', 'add', 'a/b');
      assert.deepEqual(await show('a/b'), {
        topic: 'a/b',
        owner: 'ana',
        pub: ['sensor'],
        sub: ['luis', '7', '+'],
        password: false,
        followers: [],
      });
      await operator.bad(1, /registered already/, 'topic', 'add', 'a/b');
      await operator.good('topic', 'grant', 'pub', 'a/b', 'eva', 'ñandú', '*', 'eva');
      await operator.good('topic', 'revoke', 'sub', 'a/b', '+', 'luis', 'nobody');
      await operator.good('topic', 'owner', 'a/b', 'tom');
      const { owner, pub, sub } = await show('a/b');
      assert.deepEqual([owner, pub, sub], ['tom', ['sensor', 'eva', 'ñandú', '*'], ['7']]);
      await operator.good('topic', 'owner', 'a/b');
      assert.equal((await show('a/b')).owner, '');
      await operator.good('topic', 'add', 'c');
      assert.deepEqual(await topics(), ['a/b', 'c']);
      assert.match(await operator.good('topic', 'show', 'a/b'), /^pub +\["sensor", "eva", .*"\*"\]$/m);
      await operator.good('topic', 'remove', 'c');
      await operator.bad(1, /not found/, 'topic', 'show', 'c');
      await operator.bad(1, /not found/, 'topic', 'remove', 'c');
    });

    test('nothing wrong is written', async () => {
      const cases = [
        [1, /owner/, 'topic', '--owner', '*', 'add', 'x'],
        [1, /pub/, 'topic', '--pub', '', 'add', 'x'],
        [1, /sub/, 'topic', '--sub', '__DONT__', 'add', 'x'],
        [1, /reserved/, 'topic', 'add', '@USER@'],
        [1, /empty/, 'topic', 'add', ''],
        [1, /wildcard/, 'topic', 'grant', 'sub', 'a/b', 'fine', ''],
        [1, /not found/, 'topic', 'grant', 'sub', 'nowhere', 'luis'],
        [1, /not found/, 'topic', 'owner', 'nowhere', 'luis'],
        [2, /pub or sub/, 'topic', 'grant', 'both', 'a/b', 'luis'],
        [2, /too few/, 'topic', 'grant', 'sub', 'a/b'],
        [2, /too few/, 'topic', 'add'],
        [2, /for add/, 'topic', '--owner', 'ana', 'list'],
        [2, /no "nonsense"/, 'topic', 'nonsense'],
        [2, /what/, 'topic'],
      ];
      for (const [code, pattern, ...words] of cases) {
        await operator.bad(code, pattern, ...words);
      }
      assert.deepEqual(await topics(), ['a/b']);
    });

    test('users follow and do not', async () => {
      await operator.good('follow', 'a/b', 'luis', '7', 'luis');
      assert.deepEqual((await show('a/b')).followers, ['7', 'luis']);
      await operator.good('unfollow', 'a/b', '7');
      assert.deepEqual((await show('a/b')).followers, ['luis']);
      await operator.bad(1, /does not follow/, 'unfollow', 'a/b', '7');
      await operator.bad(1, /not found/, 'follow', 'nowhere', 'luis');
      await operator.bad(1, /user id/, 'follow', 'a/b', '+');
      await operator.bad(2, /USER/, 'follow', 'a/b');
      await operator.good('topic', 'remove', 'a/b');
      await operator.good('topic', 'add', 'a/b');
      assert.deepEqual((await show('a/b')).followers, []);
    });

    test('passwords are set and taken away', async () => {
      const set = await operator.callWith('sesame\n', 'password', '--cost', '4', 'a/b');
      assert.equal(set.code, 0, set.stderr);
      assert.equal((await show('a/b')).password, true);
      await operator.good('password', '--clear', 'a/b');
      assert.equal((await show('a/b')).password, false);
      const hash = await operator.callWith('sesame', 'password', '--cost', '4', '--hash');
      const verified = await run(['php', '-r', 'echo password_verify("sesame", trim(stream_get_contents(STDIN))) ? "yes" : "no";'], {
        input: hash.stdout,
      });
      assert.equal(verified.stdout, 'yes');
      for (const [code, pattern, input, ...words] of [
        [1, /not found/, 'x\n', 'password', '--cost', '4', 'nowhere'],
        [1, /empty/, '', 'password', 'a/b'],
        [1, /1 to 72/, '\n', 'password', 'a/b'],
        [1, /1 to 72/, `${'x'.repeat(73)}\n`, 'password', 'a/b'],
        [2, /--cost/, 'x\n', 'password', '--cost', '3', 'a/b'],
        [2, /TOPIC/, 'x\n', 'password'],
        [2, /TOPIC/, 'x\n', 'password', '--hash', '--clear'],
      ]) {
        const ended = await operator.callWith(input, ...words);
        assert.equal(ended.code, code, ended.stderr);
        assert.match(ended.stderr, pattern);
      }
      assert.equal((await show('a/b')).password, false);
    });
  });
}

describe('esnctl bindkey and whoami', () => {
  let operator;
  before(async () => {
    operator = new Operator({});
    const said = await operator.good('keygen');
    fs.writeFileSync(operator.file, `${said}[bind_key]\ntolerance = 1h\n`);
  });
  after(() => operator?.remove());

  test('a bind key says its user', async () => {
    for (const user of ['ana', '7', 'ñandú 😀', '[][][]']) {
      const key = (await operator.good('bindkey', user)).trim();
      assert.deepEqual(JSON.parse(await operator.good('whoami', '--json', key)), { kind: 'bind key', user, state: 'valid now' });
    }
    const byPublicKey = (await operator.good('bindkey', '--key', 'bind.pub', 'ana')).trim();
    assert.match(await operator.good('whoami', byPublicKey), /^user +ana$/m);
  });

  test('one that is not valid is told from one that is not of now', async () => {
    const old = (await operator.good('bindkey', '--age', '4000', 'ana')).trim();
    const said = await operator.call('whoami', old);
    assert.equal(said.code, 1);
    assert.match(said.stdout, /^user +ana$/m);
    assert.match(said.stdout, /not of now/);
    await operator.bad(1, /invalid/, 'whoami', `${old.slice(0, -4)}AAA=`);
    await operator.bad(1, /invalid/, 'whoami', 'nonsense');
    await operator.bad(2, /nobody/, 'bindkey', '*');
    await operator.bad(2, /USER/, 'bindkey');
    await operator.bad(2, /--age/, 'bindkey', '--age', 'x', 'ana');
  });

  test('a ticket says what it allows', async () => {
    const secret = fs.readFileSync(path.join(operator.folder, 'ticket.secret'), 'utf8').trim();
    const body = claims({ uid: 'luis', clid: 'page', last_id: '1-2', ep: ['a', { topic: '@USER@', binded: true }] });
    const text = ticket(body, { secret });
    const said = await operator.callWith(`${text}\n`, 'whoami', '--json', '-');
    assert.deepEqual(JSON.parse(said.stdout), {
      kind: 'ticket',
      user: 'luis',
      ep: ['a', { topic: '@USER@', binded: true }],
      clid: 'page',
      last_id: '1-2',
      state: 'valid now',
    });
    await operator.bad(1, /invalid ticket/, 'whoami', ticket(body, { secret: 'another secret of thirty-two letters' }));
    await operator.bad(1, /invalid ticket/, 'whoami', ticket(claims({ exp: 5, iat: 1 }), { secret }));
  });
});
