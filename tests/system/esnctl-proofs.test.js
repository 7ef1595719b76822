'use strict';

// esnctl as the one who makes access tokens, tickets and publishers, and reads them.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { newFolder, programs } = require('./lib/paths');
const { run } = require('./lib/program');
const { signedHeaders } = require('./lib/signing');
const { Subscriber } = require('./lib/subscriber');
const { SECRET, accessToken } = require('./lib/tokens');

const TOPIC = { topic: 'house/lamp', bound: true };

/** esnctl with the configuration `file`, in its folder. */
class Operator {
  constructor(file) {
    this.file = file;
  }

  call(words, input) {
    return run([programs.esnctl, ...words], { env: { ESN_CONF: this.file }, cwd: path.dirname(this.file), input });
  }

  async good(...words) {
    const ended = await this.call(words);
    assert.equal(ended.code, 0, `${words.join(' ')}: ${ended.stderr}${ended.stdout}`);
    return ended.stdout.trim();
  }

  async bad(code, pattern, ...words) {
    const ended = await this.call(words);
    assert.equal(ended.code, code, `${words.join(' ')}: ${ended.stdout}${ended.stderr}`);
    assert.match(ended.stderr + ended.stdout, pattern);
    return ended;
  }
}

describe('esnctl token and ticket, with what takes them', () => {
  let bound;
  let operator;
  before(async () => {
    bound = await Bound.start({
      config: { token: { keys_file: 'token.keys', issuer: 'shop', audience: 'notify' } },
      prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
    });
    await bound.add('house/lamp', { owner: 'ana' });
    operator = new Operator(bound.stack.file);
  });
  after(() => bound?.stop());
  const read = async (kind, text) => JSON.parse(await operator.good(kind, '--json', 'read', text));

  test('a token is taken by esn-subscribe, and says what it was made of', async () => {
    const words = ['--sid', 's1', '--clid', 'page', '--info', '{"name":"Ana"}', '--sub', 'orders/#', '--pub', 'chat/7', '--life', '60'];
    const token = await operator.good('token', ...words, 'make', 'ana');
    const { iat, exp, state, ...rest } = await read('token', token);
    assert.equal(state, 'valid now');
    assert.ok(Math.abs(exp - iat - 60) < 0.01, `${iat} ${exp}`);
    const esn = { info: { name: 'Ana' }, sub: ['orders/#'], pub: ['chat/7'], clid: 'page' };
    assert.deepEqual(rest, { sub: 'ana', iss: 'shop', aud: 'notify', sid: 's1', esn });
    const subscriber = await Subscriber.open(bound.url, { ep: [TOPIC], token });
    assert.equal(subscriber.connected.identity.uid, 'ana');
    await subscriber.close();
    assert.equal((await read('token', await operator.good('token', 'make'))).sub, undefined);
  });

  test('what the broker would refuse is not made', async () => {
    await operator.bad(1, /would refuse it: no user id/, 'token', 'make', '*');
    await operator.bad(1, /would refuse it/, 'token', '--sub', '', 'make', 'ana');
    await operator.bad(1, /would refuse it/, 'token', '--info', JSON.stringify('x'.repeat(1100)), 'make', 'ana');
    await operator.bad(2, /--info is no JSON/, 'token', '--info', 'Ana', 'make', 'ana');
    await operator.bad(2, /--life/, 'token', '--life', '0', 'make', 'ana');
    await operator.bad(2, /needs make/, 'token', 'make', 'ana', 'luis');
    fs.writeFileSync(`${bound.stack.folder}/short.key`, 'short\n', { mode: 0o600 });
    await operator.bad(1, /fewer than 32/, 'token', '--key', 'short.key', 'make', 'ana');
    const { publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    fs.writeFileSync(`${bound.stack.folder}/public.pem`, publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o600 });
    await operator.bad(1, /public keys, which sign nothing/, 'token', '--key', 'public.pem', 'make', 'ana');
  });

  test('a token that is not valid is told why; what others have signed is not shown', async () => {
    const claims = { iss: 'shop', aud: 'notify' };
    const old = await operator.bad(1, /expired/, 'token', 'read', accessToken('ana', { claims, seconds: -10 }));
    assert.match(old.stdout, /ana/);
    const other = await operator.bad(1, /invalid access token/, 'token', 'read', accessToken('secret-name', { claims, key: `${SECRET}!` }));
    assert.doesNotMatch(other.stdout + other.stderr, /secret-name/);
    await operator.bad(1, /invalid access token/, 'token', 'read', 'x');
    const piped = await operator.call(['token', 'read', '-'], `  ${await operator.good('token', 'make', 'ana')}\n`);
    assert.equal(piped.code, 0, piped.stderr);
    assert.equal((await operator.call(['token', 'read', '-'], '\n')).code, 1);
  });

  test('a ticket is taken by the daemon, once', async () => {
    const words = ['--uid', 'ana', '--bound', 'house/lamp', '--clid', 'page', '--sid', 's1', '--until', '60'];
    const ticket = await operator.good('ticket', ...words, '--private', 'chat/7', '--private', 'chat/8', 'make', 'news/#', 'weather');
    const said = await read('ticket', ticket);
    const asked = [{ topic: 'house/lamp', binded: true }, { topic: 'chat/7', private: true }, { topic: 'chat/8', private: true }];
    assert.deepEqual(said.ep, ['news/#', 'weather', ...asked]);
    assert.deepEqual([said.uid, said.clid, said.sid, said.state], ['ana', 'page', 's1', 'valid now']);
    const url = `${bound.stack.url}/?ticket=${ticket}`;
    const subscriber = await Subscriber.open(url, undefined, { method: 'GET' });
    assert.equal(subscriber.connected.identity.uid, 'ana');
    assert.equal((await bound.publish('house/lamp', { as: 'ana', type: 'heard' })).receivers, 1);
    await subscriber.close();
    assert.equal((await request(url, { agent: false })).status, 400);
  });

  test('a ticket that the daemon would refuse is not made', async () => {
    await operator.bad(1, /would refuse it: a bound or private topic without uid/, 'ticket', '--bound', 'house/lamp', 'make');
    await operator.bad(1, /would refuse it: uid/, 'ticket', '--uid', '*', 'make', 'news');
    await operator.bad(2, /needs a topic/, 'ticket', 'make');
    await operator.bad(2, /--until/, 'ticket', '--until', 'x', 'make', 'news');
    await operator.bad(1, /invalid ticket/, 'ticket', 'read', accessToken('ana'));
  });
});

describe('esnctl drop', () => {
  let bound;
  let operator;
  before(async () => {
    bound = await Bound.start({
      config: { token: { keys_file: 'token.keys' } },
      prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
    });
    operator = new Operator(bound.stack.file);
  });
  after(() => bound?.stop());
  const INBOX = [{ topic: '@USER@', bound: true }];
  const open = (user, claims = {}) => Subscriber.open(bound.url, { ep: INBOX, clid: `of ${user}`, token: accessToken(user, { claims }) });
  const drop = async (...words) => JSON.parse(await operator.good('drop', '--json', ...words)).dropped;

  test('ends the streams of a user, a session, a connection and a client id, on the bus and by HTTP', async () => {
    for (const by of [[], ['--url', `${bound.url}drop`], ['--url', bound.url]]) {
      const [ana, luis, eva, ivo, other] = await Promise.all([
        open('ana'), open('luis', { sid: 'session:1' }), open('eva'), open('ivo'), open('other'),
      ]);
      assert.equal(await drop(...by, '--for', '0', 'uid', 'ana'), 1);
      assert.equal(await drop(...by, '--for', '0', 'sid', 'session:1'), 1);
      assert.equal(await drop(...by, 'connid', String(eva.connected.connid)), 1);
      assert.equal(await drop(...by, 'clid', 'of ivo'), 1);
      assert.equal(await drop(...by, '--for', '0', 'uid', 'nobody'), 0);
      for (const one of [ana, luis, eva, ivo]) {
        await one.takeUntil('dropped');
        await one.over;
      }
      await bound.stack.untilTotal(1);
      await other.close();
      await bound.stack.untilTotal(0);
    }
  });

  test('refuses for a while what was signed before', async () => {
    const token = accessToken('zoe', { claims: { iat: Date.now() / 1000 - 1 } });
    const body = JSON.stringify({ ep: INBOX, token });
    assert.match(await operator.good('drop', '--for', '600', 'uid', 'zoe'), /^0 streams were ended$/);
    const answer = await request(bound.url, { method: 'POST', agent: false, body });
    assert.equal(answer.status, 403, answer.text);
  });

  test('says what is wrong', async () => {
    await operator.bad(2, /uid, sid, connid or clid/, 'drop', 'user', 'ana');
    await operator.bad(2, /needs uid/, 'drop', 'uid');
    await operator.bad(2, /has a number/, 'drop', 'connid', 'ana');
    await operator.bad(2, /--for/, 'drop', '--for', '-1', 'uid', 'ana');
    await operator.bad(1, /uid should be a user id/, 'drop', 'uid', '*');
    await operator.bad(1, /for goes with uid and sid alone/, 'drop', '--for', '1', 'clid', 'page');
    await operator.bad(2, /the bus has none/, 'drop', '--token-file', 'x', 'uid', 'ana');
  });
});

test('esnctl publisher', async (t) => {
  let operator;
  let folder;
  const file = () => fs.readFileSync(path.join(folder, 'publishers.conf'), 'utf8');
  t.before(() => {
    folder = newFolder('publishers');
    fs.writeFileSync(path.join(folder, 'es.conf'), '[publish]\npublishers_file = publishers.conf\n');
    operator = new Operator(path.join(folder, 'es.conf'));
  });
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const list = async () => JSON.parse(await operator.good('publisher', '--json', 'list'));

  await t.test('the first is added, with a secret of its own, and the file is made', async () => {
    const more = ['--may', 'private users', '--signed', '--rate', '200', '--addresses', '10.0.0.0/8 ::1'];
    await operator.good('publisher', '--topics', 'orders/# news/+', ...more, 'add', 'shop');
    const key = fs.readFileSync(path.join(folder, 'shop.key'), 'utf8');
    assert.match(key, /^[0-9a-f]{64}\n$/);
    for (const name of ['shop.key', 'publishers.conf']) assert.equal(fs.statSync(path.join(folder, name)).mode & 0o007, 0, name);
    const shop = { secret: 'shared', topics: ['orders/#', 'news/+'], may: ['private', 'users'], signed: true, rate: 200, addresses: 2 };
    assert.deepEqual(await list(), { shop });
  });

  await t.test('a second one with an Ed25519 key; what stands in the file stays', async () => {
    const { publicKey } = crypto.generateKeyPairSync('ed25519');
    fs.writeFileSync(path.join(folder, 'sensor.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    fs.appendFileSync(path.join(folder, 'publishers.conf'), '\n# the sensors of the house\n');
    await operator.good('publisher', '--topics', 'house/#', '--key', 'sensor.pub', 'add', 'sensor');
    const { sensor } = await list();
    assert.deepEqual(sensor, { secret: 'Ed25519', topics: ['house/#'], may: [], signed: true, rate: 0, addresses: 0 });
    assert.match(file(), /^\[shop\]\n[^]*# the sensors of the house\n\n\[sensor\]\n/);
    assert.match(await operator.good('publisher', 'list'), /sensor\.topics/);
  });

  await t.test('what would make the file wrong changes nothing, and leaves no secret', async () => {
    const before = file();
    await operator.bad(1, /nothing was changed: .*may/, 'publisher', '--topics', '#', '--may', 'everything', 'add', 'bad');
    await operator.bad(1, /nothing was changed/, 'publisher', '--topics', `a${'/a'.repeat(300)}`, 'add', 'bad');
    await operator.bad(1, /nothing was changed: .*name/, 'publisher', '--topics', '#', 'add', 'b d');
    await operator.bad(1, /has a publisher shop already/, 'publisher', '--topics', '#', 'add', 'shop');
    await operator.bad(2, /--topics/, 'publisher', 'add', 'bad');
    await operator.bad(2, /cannot stand/, 'publisher', '--topics', '#\n[root]', 'add', 'bad');
    await operator.bad(2, /cannot stand/, 'publisher', '--topics', '#', 'add', '../bad');
    await operator.bad(1, /has no publisher sho/, 'publisher', 'remove', 'sho');
    await operator.bad(2, /needs add/, 'publisher', 'add');
    assert.equal(file(), before);
    assert.deepEqual(fs.readdirSync(folder).sort(), ['es.conf', 'publishers.conf', 'sensor.pub', 'shop.key']);
  });

  await t.test('one is removed; the comment of the next one stays; the last one stays too', async () => {
    assert.match(await operator.good('publisher', 'remove', 'shop'), /^removed shop; its secret's file stays; reload esn-event$/);
    assert.match(file(), /^# the sensors of the house\n\n\[sensor\]\n[^]*$/);
    const before = file();
    await operator.bad(1, /no publisher in the file/, 'publisher', 'remove', 'sensor');
    assert.equal(file(), before);
  });
});

test('a publisher that esnctl made publishes, signed', async () => {
  const folder = newFolder('made-publisher');
  fs.writeFileSync(path.join(folder, 'es.conf'), '');
  const operator = new Operator(path.join(folder, 'es.conf'));
  await operator.good('publisher', '--file', 'publishers.conf', '--topics', 'orders/#', '--signed', 'add', 'shop');
  const bound = await Bound.start({ config: { publish: { publishers_file: path.join(folder, 'publishers.conf') } } });
  try {
    const key = fs.readFileSync(path.join(folder, 'shop.key'), 'utf8').trim();
    const url = bound.stack.eventUrl;
    const body = JSON.stringify({ ep: ['orders/1'], e: { type: 'placed' } });
    const headers = signedHeaders({ url, body, key, keyid: 'shop', covers: ['@method', '@path', 'content-digest'] });
    const answer = await request(url, { method: 'POST', agent: false, headers, body });
    assert.equal(answer.status, 200, answer.text);
  } finally {
    await bound.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
