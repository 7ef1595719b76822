'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { encrypt, keyPair } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { newFolder, programs } = require('./lib/paths');
const { Program, run } = require('./lib/program');
const { Redis } = require('./lib/redis');
const { ENGINE } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { accessToken } = require('./lib/tokens');
const { until } = require('./lib/wait');

const TOPIC = { topic: 'orders', binded: true };
const SIGN_SECRET = 'the secret that signs the tokens of these tests';

let sessions = 0;
/** An id as PHP makes them. */
const newId = () => crypto.createHash('sha256').update(`session ${sessions++} ${process.pid}`).digest('hex').slice(0, 26);

/** The bind key of a subscriber: which session it is. */
const keyOf = (id) =>
  encrypt(JSON.stringify({ iat: Math.floor(Date.now() / 1000), session_id: id }), { key: keyPair('subscribers').publicKey });

/** A shop behind a web server whose sessions are in Redis. */
class Shop {
  static async start({ web = 'nginx', redis = {}, database = '', config = {}, more = {} } = {}) {
    const shop = new Shop();
    shop.folder = newFolder('redis');
    try {
      shop.redis = await Redis.start(shop.folder, redis);
      shop.bound = await Bound.start({
        web,
        config: {
          fanout: { keep_alive: '1s' },
          binding: { mode: 'redis', private_key_file: 'subscribe.key' },
          redis: { url: `${shop.redis.url}${database}`, connect_time: '2s', time_limit: '2s', ...config },
          ...more,
        },
        prepare: (stack) => {
          stack.writeTokens('subscribe.key', [keyPair('subscribers').privateKey]);
          stack.writeTokens('redis.password', ['geheim']);
          stack.writeTokens('sign.secret', [SIGN_SECRET]);
        },
      });
      await shop.bound.add('orders', { owner: 'ana', sub: ['luis', '7'] });
    } catch (error) {
      await shop.stop().catch(() => {});
      throw error;
    }
    return shop;
  }

  ask(id) {
    const body = JSON.stringify({ bind_key: keyOf(id), ep: [TOPIC] });
    return request(this.bound.url, { method: 'POST', agent: false, body });
  }

  subscribe(id) {
    return Subscriber.open(this.bound.url, { bind_key: keyOf(id), ep: [TOPIC] });
  }

  async receivers() {
    return (await this.bound.publish('orders', { as: 'ana' })).receivers;
  }

  async stop() {
    await this.bound?.stop();
    await this.redis?.stop();
    if (!process.env.ESN_TEST_LOGS) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

const WRITERS = [
  ['nginx', { session_user: 'user.id' }, {}, "$_SESSION['user'] = ['name' => 'Luis', 'id' => 'luis'];"],
  [
    'Apache with mod_fcgid',
    { session_user: 'user.id', session_serializer: 'php_serialize', session_prefix: 'shop[1]:' },
    { 'session.serialize_handler': 'php_serialize' },
    "class User { private $id = 7; public $friend; } $_SESSION['user'] = new User; $_SESSION['user']->friend = $_SESSION['user'];",
  ],
];

for (const [web, config, settings, login] of WRITERS) {
  describe(`sessions that PHP keeps in Redis, behind ${web}`, () => {
    let shop;
    const page = (id, code) => {
      const save = config.session_prefix ? `?prefix=${encodeURIComponent(config.session_prefix)}` : '';
      const all = { 'session.save_path': `unix://${shop.redis.socket}${save}`, ...settings };
      return shop.redis.page(id, code, { settings: all });
    };
    before(async () => {
      shop = await Shop.start({ web, config });
    });
    after(() => shop?.stop());

    test('say who subscribes', async () => {
      const id = newId();
      await page(id, login);
      const stream = await shop.subscribe(id);
      assert.match(stream.connected.identity.uid, /^(luis|7)$/);
      assert.equal(await shop.receivers(), 1);
      await stream.close();
      await shop.bound.stack.untilTotal(0);
      const log = await shop.bound.stack.daemon.untilLog(/info esn-fanout: listening to Redis for the ends of sessions/);
      assert.doesNotMatch(log.input, /Redis does not say|Redis is away/);
    });

    test('that have no user are sessions without a user', async () => {
      const id = newId();
      await page(id, "$_SESSION['cart'] = [1, 2, 3];");
      const stream = await shop.subscribe(id);
      assert.equal(stream.connected.identity.uid, '[][][]');
      assert.equal(await shop.receivers(), 0);
      await stream.close();
      await shop.bound.stack.untilTotal(0);
    });

    test('end their streams when PHP destroys them', async () => {
      const id = newId();
      await page(id, login);
      const stream = await shop.subscribe(id);
      await page(id, 'session_destroy();');
      await stream.takeUntil('dropped');
      await stream.over;
      assert.ok(stream.endedCleanly);
      assert.equal(await shop.receivers(), 0);
    });

    test('are watched to the end, and that is no trouble', async () => {
      const { daemon } = shop.bound.stack;
      const [id, stays] = [newId(), newId()];
      await page(id, login);
      await page(stays, login);
      const streams = [await shop.subscribe(id), await shop.subscribe(stays)];
      await page(id, 'session_destroy();');
      await streams[0].takeUntil('dropped');
      const asked = [...(await shop.redis.cli('INFO', 'commandstats')).matchAll(/^cmdstat_(?:scan|config)\b\S*:calls=(\d+)/gm)];
      const calls = asked.reduce((sum, [, count]) => sum + Number(count), 0);
      assert.ok(calls > 0 && calls < 100, `looked at now and then, and no more: ${calls}`);
      assert.equal(await daemon.end(), 0);
      assert.doesNotMatch(daemon.output(), /Redis is away|still holds handles/);
      await streams[1].over;
      await shop.bound.stack.startDaemon();
      await shop.bound.stack.publishInTheEnd('anywhere', 'back');
    });
  });
}

describe('sessions in Redis', () => {
  let shop;
  const login = (id, user = 'luis') => shop.redis.page(id, `$_SESSION['uid'] = '${user}';`);
  before(async () => {
    shop = await Shop.start();
  });
  after(() => shop?.stop());

  test('that are not there are refused, and never made', async () => {
    const before = await shop.redis.cli('DBSIZE');
    for (const id of [newId(), 'x', 'y'.repeat(190)]) {
      const answer = await shop.ask(id);
      assert.deepEqual([answer.status, answer.json], [400, { error: 'Invalid Bind Key' }]);
    }
    for (const id of ['', 'a:b', '../x', 7, null]) {
      const answer = await shop.ask(id);
      assert.deepEqual([answer.status, answer.json], [400, { error: 'Invalid Bind Key' }], `${id}`);
    }
    assert.equal(await shop.redis.cli('DBSIZE'), before);
  });

  test('that cannot be read are 503, and the log says since when and until when', async () => {
    const id = newId();
    const log = path.join(shop.bound.stack.folder, 'esn-subscribe.log');
    const says = (words) => until(words, () => fs.readFileSync(log, 'utf8').includes(words));
    await login(id);
    await shop.redis.cli('SET', `PHPREDIS_SESSION:${id}`, 'uid|nonsense');
    assert.equal((await shop.ask(id)).status, 503);
    await says('sessions in Redis cannot be read reason=');
    await shop.redis.cli('DEL', `PHPREDIS_SESSION:${id}`);
    await login(id);
    await (await shop.subscribe(id)).close();
    await says('sessions in Redis can be read again');
    await shop.bound.stack.untilTotal(0);
  });

  test('are read while PHP holds their lock', async () => {
    const id = newId();
    await login(id);
    const file = path.join(shop.folder, 'locked');
    const words = shop.redis.php(id, `touch('${file}'); fgets(STDIN);`, { settings: { 'redis.session.locking_enabled': '1' } });
    const page = new Program('php', words, { log: path.join(shop.folder, 'php.log'), stdin: 'pipe' });
    await until('the page has the session', () => fs.existsSync(file));
    assert.notEqual(await shop.redis.cli('GET', `PHPREDIS_SESSION:${id}_LOCK`), '', 'it is locked');
    const stream = await shop.subscribe(id);
    assert.equal(await shop.receivers(), 1);
    await stream.close();
    await page.end('SIGKILL');
    await shop.bound.stack.untilTotal(0);
  });

  test('are not told to anybody: lists, tickets and logs have a hash', async () => {
    const id = newId();
    await login(id);
    const stream = await shop.subscribe(id);
    const listed = JSON.stringify(await shop.bound.stack.look('/connections?details=true'));
    assert.ok(!listed.includes(id));
    const ticket = await request(`${shop.bound.url}ticket`, {
      method: 'POST',
      agent: false,
      body: JSON.stringify({ bind_key: keyOf(id), ep: [TOPIC] }),
    });
    const claims = JSON.parse(Buffer.from(ticket.json.ticket.split('.')[1], 'base64url'));
    assert.equal(claims.sid, `session:${crypto.createHash('sha256').update(id).digest('hex')}`);
    await shop.redis.page(id, 'session_destroy();');
    await stream.takeUntil('dropped');
    await shop.ask(id);
    for (const file of fs.readdirSync(shop.bound.stack.folder).filter((name) => name.endsWith('.log'))) {
      const text = fs.readFileSync(path.join(shop.bound.stack.folder, file), 'utf8');
      assert.ok(!text.includes(id), file);
    }
  });

  const ends = {
    'are emptied': (id) => shop.redis.page(id, '$_SESSION = [];'),
    'lose their user': (id) => shop.redis.page(id, "unset($_SESSION['uid']); $_SESSION['cart'] = [];"),
    'become another user\'s': (id) => login(id, 'eva'),
    'get another id': (id) => shop.redis.page(id, 'session_regenerate_id(true);'),
    'expire': (id) => shop.redis.cli('PEXPIRE', `PHPREDIS_SESSION:${id}`, '1'),
    'are moved away': (id) => shop.redis.cli('RENAME', `PHPREDIS_SESSION:${id}`, `gone:${id}`),
  };
  for (const [what, end] of Object.entries(ends)) {
    test(`end their streams when they ${what}, and nobody else's`, async () => {
      const [id, other] = [newId(), newId()];
      await login(id);
      await login(other);
      const [stream, same, stays] = [await shop.subscribe(id), await shop.subscribe(id), await shop.subscribe(other)];
      await shop.redis.page(id, "$_SESSION['cart'] = [4711];");
      await shop.redis.page(other, "$_SESSION['cart'] = [4711];");
      assert.equal(await shop.receivers(), 3, 'a page more is no end');
      await end(id);
      for (const one of [stream, same]) {
        await one.takeUntil('dropped');
        await one.over;
        assert.ok(one.endedCleanly);
      }
      assert.equal(await shop.receivers(), 1);
      await stays.close();
      await shop.bound.stack.untilTotal(0);
    });
  }

  test('that get a user leave the streams of before as they are', async () => {
    const id = newId();
    await shop.redis.page(id, "$_SESSION['cart'] = [];");
    const before = await shop.subscribe(id);
    await login(id);
    const after_ = await shop.subscribe(id);
    assert.deepEqual([before.connected.identity.uid, after_.connected.identity.uid], ['[][][]', 'luis']);
    assert.equal(await shop.receivers(), 1);
    await shop.redis.page(id, "$_SESSION['cart'] = [4711];");
    await shop.bound.stack.untilTotal(2);
    await shop.redis.page(id, 'session_destroy();');
    await Promise.all([before, after_].map((stream) => stream.takeUntil('dropped')));
    await shop.bound.stack.untilTotal(0);
  });

  test('that end while the connection is broken end their streams when it is there again', async () => {
    const [gone, empty, stays] = [newId(), newId(), newId()];
    for (const id of [gone, empty, stays]) {
      await login(id);
    }
    const streams = await Promise.all([gone, empty, stays].map((id) => shop.subscribe(id)));
    await shop.redis.together(
      'CLIENT KILL TYPE pubsub',
      `DEL PHPREDIS_SESSION:${gone}`,
      `SET PHPREDIS_SESSION:${empty} ""`,
    );
    await streams[0].takeUntil('dropped');
    await streams[1].takeUntil('dropped');
    assert.equal(await shop.receivers(), 1);
    await streams[2].close();
    await shop.bound.stack.untilTotal(0);
  });

  test('that cannot be asked for are 503, and nobody else waits', async () => {
    const id = newId();
    await login(id);
    const held = await shop.subscribe(id);
    await shop.redis.stop();
    const answer = await shop.ask(id);
    assert.deepEqual([answer.status, answer.json], [503, { error: 'Bind keys cannot be checked now' }]);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    const open = await Subscriber.open(shop.bound.url, { ep: ['news'] });
    await open.close();
    if (!shop.bound.stack.engine.takesAlone) {
      assert.equal(await shop.receivers(), 1);
    }
    assert.equal(held.isOver, false, 'nothing is known of the session, so the stream stays');
    await shop.bound.stack.daemon.untilLog(/warning esn-fanout: cannot listen to Redis: logging out ends no streams meanwhile/);
    await shop.redis.start();
    await held.takeUntil('dropped');
    await login(id);
    const stream = await until('it is let in again', () => shop.subscribe(id).catch(() => undefined));
    await stream.close();
    await shop.bound.stack.untilTotal(0);
  });

  test('in a Redis that hangs hold up nobody else', async () => {
    const id = newId();
    await login(id);
    shop.redis.program.signal('SIGSTOP');
    const asked = Array.from({ length: 40 }, () => shop.ask(id));
    const free = (async () => {
      for (let i = 0; i < 20; i++) {
        const open = await Subscriber.open(shop.bound.url, { ep: ['news'] });
        await open.close();
      }
    })();
    // A daemon that has its events from there too takes no more streams when it has not heard of the others for a while.
    await free.catch((error) => assert.ok(shop.bound.stack.engine.takesAlone && /503 Cut off/.test(error.message), error.message));
    const answers = await Promise.all(asked);
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [503]);
    shop.redis.program.signal('SIGCONT');
    const stream = await until('it is let in again', () => shop.subscribe(id).catch(() => undefined));
    await stream.close();
    await shop.bound.stack.untilTotal(0);
  });

  test('are checked by esnctl check-config, with whether their end is said', async () => {
    const check = () => run([programs.esnctl, 'check-config', '--config', shop.bound.stack.file]);
    assert.equal((await check()).code, 0);
    await shop.redis.cli('CONFIG', 'SET', 'notify-keyspace-events', 'KA');
    assert.doesNotMatch((await check()).stderr, /notify-keyspace-events/); // all kinds of changes are more than is needed
    await shop.redis.cli('CONFIG', 'SET', 'notify-keyspace-events', 'Ex');
    const off = await check();
    assert.equal(off.code, 0, off.stderr);
    assert.match(off.stderr, /notify-keyspace-events is "xE": logging out ends no streams; it has to be "K\$gxe"/);
    await shop.redis.cli('ACL', 'SETUSER', 'default', '-config');
    const unknown = await check();
    assert.match(unknown.stderr, /notify-keyspace-events cannot be asked for \(Redis says: NOPERM/);
    await shop.redis.cli('ACL', 'SETUSER', 'default', '+config');
    await shop.redis.stop();
    const away = await check();
    assert.equal(away.code, 1);
    assert.match(away.stderr, /^\[redis\] url: .*redis\.sock: /m);
    await shop.redis.start();
    const id = newId();
    await login(id);
    const stream = await until('sessions are read again', () => shop.subscribe(id).catch(() => undefined));
    await stream.close();
    await shop.bound.stack.untilTotal(0);
  });
});

describe('sessions whose end Redis does not tell', () => {
  const ends = {
    'FLUSHDB': (shop) => shop.redis.cli('FLUSHDB'),
    'notifications are off': async (shop, id) => {
      await shop.redis.cli('CONFIG', 'SET', 'notify-keyspace-events', '');
      await shop.redis.cli('DEL', `PHPREDIS_SESSION:${id}`);
    },
  };
  for (const [what, end] of Object.entries(ends)) {
    test(`end their streams all the same: ${what}`, async () => {
      const shop = await Shop.start({ config: { check_time: '100ms' } });
      try {
        const id = newId();
        await shop.redis.page(id, "$_SESSION['uid'] = 'luis';");
        const stream = await shop.subscribe(id);
        await end(shop, id);
        await stream.takeUntil('dropped');
        const { daemon } = shop.bound.stack;
        if (what === 'notifications are off') {
          await daemon.untilLog(/warning esn-fanout: Redis does not say when sessions end/);
        } else {
          assert.doesNotMatch(daemon.output(), /Redis does not say when sessions end/);
        }
      } finally {
        await shop.stop();
      }
    });
  }

  test('are not those that were never there: Redis serves something else', async () => {
    const shop = await Shop.start({ config: { check_time: '100ms' }, more: { token: { keys_file: 'sign.secret' } } });
    try {
      const sid = `session:${crypto.createHash('sha256').update('a session in a file').digest('hex')}`;
      const token = accessToken('luis', { key: SIGN_SECRET, claims: { sid } });
      await shop.redis.cli('SET', 'something', 'else');
      const stream = await Subscriber.open(shop.bound.url, { token, ep: [TOPIC] });
      await shop.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
      const looks = async () => Number(/cmdstat_scan:calls=(\d+)/.exec(await shop.redis.cli('INFO', 'commandstats'))?.[1] ?? 0);
      await until('all was looked at', async () => (await looks()) >= 4);
      assert.equal(await shop.receivers(), 1);
      await stream.close();
    } finally {
      await shop.stop();
    }
  });
});

describe('tokens for a session in Redis', () => {
  let shop;
  before(async () => {
    shop = await Shop.start({ more: { token: { sign_file: 'sign.secret', store_file: 'tokens.db' } } });
  });
  after(() => shop?.stop());
  const desk = (body) =>
    request(`${shop.bound.url}token`, { method: 'POST', agent: false, body: JSON.stringify(body) });
  const subscribe = (pair) => Subscriber.open(shop.bound.url, { ep: [TOPIC], token: pair.access_token });
  const refresh = async (pair) => (await desk({ refresh_token: pair.refresh_token })).json;

  const ends = {
    'is destroyed': (id) => shop.redis.page(id, 'session_destroy();'),
    'becomes another user\'s': (id) => shop.redis.page(id, "$_SESSION['uid'] = 'eva';"),
  };
  for (const [what, end] of Object.entries(ends)) {
    test(`end with it when it ${what}`, async () => {
      const id = newId();
      await shop.redis.page(id, "$_SESSION['uid'] = 'luis';");
      const pair = (await desk({ bind_key: keyOf(id) })).json;
      const next = await refresh(pair);
      const stream = await subscribe(next);
      assert.equal(stream.connected.identity.uid, 'luis');
      await end(id);
      await stream.takeUntil('dropped');
      const answer = await desk({ refresh_token: next.refresh_token });
      assert.deepEqual([answer.status, answer.json], [400, { error: 'invalid_grant' }]);
      const late = await request(shop.bound.url, {
        method: 'POST',
        agent: false,
        body: JSON.stringify({ ep: [TOPIC], token: next.access_token }),
      });
      assert.equal(late.status, 403, `an access token of before: ${late.text}`);
      const kept = ['', '-wal'].map((end_) => fs.readFileSync(path.join(shop.bound.stack.folder, `tokens.db${end_}`), 'latin1'));
      assert.ok(!kept.join('').includes(id), 'nobody reads the session in the store');
    });
  }

  test('that are used twice end its streams', async () => {
    const id = newId();
    await shop.redis.page(id, "$_SESSION['uid'] = 'luis';");
    const pair = (await desk({ bind_key: keyOf(id) })).json;
    const stream = await subscribe(await refresh(pair));
    assert.deepEqual(await refresh(pair), { error: 'invalid_grant' });
    await stream.takeUntil('dropped');
  });
});

/** What docs/nodes.md says that daemons and handlers need besides. */
const RIGHTS_OF_BUS = ['~esn:*', '&esn:*', '+@all', '-@dangerous', '+info', '+config|get'];

describe('sessions in a Redis that asks who it is', () => {
  let shop;
  after(() => shop?.stop());

  test('are looked up as its user, in their database', async () => {
    const rights = ['~PHPREDIS_SESSION:*', '&__keyspace@1__:PHPREDIS_SESSION:*', '+get', '+scan', '+ping', '+select', '+psubscribe'];
    if (ENGINE === 'redis') {
      rights.push(...RIGHTS_OF_BUS);
    }
    shop = await Shop.start({
      redis: { words: ['--notify-keyspace-events', 'KA', '--user', 'notify', 'on', '>geheim', ...rights] },
      database: '?db=1',
      config: { user: 'notify', password_file: 'redis.password' },
    });
    const id = newId();
    const settings = { 'session.save_path': `unix://${shop.redis.socket}?database=1` };
    await shop.redis.page(id, "$_SESSION['uid'] = 'luis';", { settings });
    const stream = await shop.subscribe(id);
    assert.equal(await shop.receivers(), 1);
    await shop.redis.page(id, 'session_destroy();', { settings });
    await stream.takeUntil('dropped');
  });
});
