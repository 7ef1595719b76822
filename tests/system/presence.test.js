'use strict';

const assert = require('node:assert/strict');
const { after, before, beforeEach, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');

describe('presence', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('pres', { config: { fanout: { stream_time: '1h' } } });
  });
  after(() => stack?.stop());
  beforeEach(() => stack.untilTotal(0));

  const page = (clid) => stack.subscribe({ ep: ['a'], clid });

  /** Frames of @CONNECTION@ topics as [clid, type, detail]. */
  const presence = (frames) =>
    frames.map(({ json }) => [json.ep.emitted.replace('@CONNECTION@/', ''), json.e.type, json.e.detail]);

  test('connect and disconnect say how many there are after the change, as a number', async () => {
    const watcher = await stack.subscribe(['@CONNECTION@/casa', '@CONNECTION@/taller']);
    const pages = [];
    for (const clid of ['casa', 'casa', 'taller']) {
      pages.push(await page(clid));
    }
    await pages[0].close();
    await stack.untilTotal(3);
    await pages[1].reset();
    await stack.untilTotal(2);
    await pages[2].close();
    await watcher.until('nine frames', () => watcher.frames.length >= 9);
    assert.deepEqual(presence(watcher.frames.slice(1)), [
      ['casa', 'available', { clid_instances: '0' }],
      ['taller', 'available', { clid_instances: '0' }],
      ['casa', 'connect', { clid_instances: 1 }],
      ['casa', 'connect', { clid_instances: 2 }],
      ['taller', 'connect', { clid_instances: 1 }],
      ['casa', 'disconnect', { clid_instances: 1 }],
      ['casa', 'disconnect', { clid_instances: 0 }],
      ['taller', 'disconnect', { clid_instances: 0 }],
    ]);
    for (const { json } of watcher.frames.slice(1)) {
      assert.equal(json.ep.requested, json.ep.emitted);
    }
    await watcher.close();
  });

  test('wildcards watch many clients, a client without a name has one all the same', async () => {
    const watcher = await stack.subscribe({ ep: ['@CONNECTION@/+'], clid: 'watcher' });
    const nameless = await stack.subscribe(['a']);
    const casa = await page('casa');
    await watcher.until('both have come', () => presence(watcher.frames).filter(([, type]) => type === 'connect').length >= 2);
    const connects = presence(watcher.frames).filter(([clid, type]) => type === 'connect' && clid !== 'watcher');
    assert.deepEqual(connects, [
      ['@ANON_CONNECTION@', 'connect', { clid_instances: 1 }],
      ['casa', 'connect', { clid_instances: 1 }],
    ]);
    assert.deepEqual(await stack.look('/connections'), {
      '@ANON_CONNECTION@': 1,
      casa: 1,
      watcher: 1,
      '@TOTAL@': 3,
    });
    await Promise.all([watcher, nameless, casa].map((client) => client.close()));
  });

  test('nobody watches presence by a wildcard in the first level', async () => {
    const watcher = await stack.subscribe(['#', '+/casa', '@CONNECTION@/casa']);
    const casa = await page('casa');
    await watcher.until('connect', () => watcher.frames.some((frame) => frame.json.e.type === 'connect'));
    const requested = watcher.frames.slice(1).map((frame) => frame.json.ep.requested);
    assert.deepEqual(requested, ['@CONNECTION@/casa', '@CONNECTION@/casa']);
    await Promise.all([watcher.close(), casa.close()]);
  });

  test('client ids of any letters are counted', async () => {
    const names = ['a/b', "o'brien", 'ñandú 😀', '"', '\\', '#', '+', '@TOTAL', 'x'.repeat(200)];
    const pages = [];
    for (const name of names) {
      pages.push(await page(name));
    }
    const counts = await stack.look('/connections');
    for (const name of names) {
      assert.equal(counts[name], 1, name);
      const answer = await stack.look(`/connections?clid=${encodeURIComponent(name)}`);
      assert.equal(answer, 1, name);
    }
    assert.equal(counts['@TOTAL@'], names.length);
    await Promise.all(pages.map((client) => client.close()));
  });

  // However a stream ends, it is counted until then and no longer.
  const endings = {
    'closed by the client': (pages) => Promise.all(pages.map((client) => client.close())),
    'reset by the client': (pages) => Promise.all(pages.map((client) => client.reset())),
  };
  for (const [how, end] of Object.entries(endings)) {
    test(`streams ${how}`, async () => {
      const [left, right] = [[], []];
      for (let i = 0; i < 100; i++) {
        (i % 2 ? left : right).push(await page(i % 2 ? 'left' : 'right'));
      }
      assert.deepEqual(await stack.look('/connections'), { left: 50, right: 50, '@TOTAL@': 100 });
      await end(left);
      assert.deepEqual(await stack.untilTotal(50), { right: 50, '@TOTAL@': 50 });
      await end(right);
      assert.deepEqual(await stack.untilTotal(0), { '@TOTAL@': 0 });
    });
  }

  test('the process of the clients is killed', async () => {
    const stayed = await page('stayed');
    const holder = await stack.hold(100, { words: ['--port', String(stack.port), '--clid', 'held'] });
    assert.deepEqual(await stack.look('/connections'), { stayed: 1, held: 100, '@TOTAL@': 101 });
    await holder.end('SIGKILL');
    assert.deepEqual(await stack.untilTotal(1), { stayed: 1, '@TOTAL@': 1 });
    await stayed.close();
  });

  test('a request that is not complete, or is refused, is not counted', async () => {
    const half = await RawConnection.open(stack.port);
    await half.write(requestText('POST', '/', { body: '{"ep":["a"]}' }).slice(0, -3));
    const refused = await stack.get('/', { method: 'POST', body: '{"ep":7}' });
    assert.equal(refused.status, 400);
    assert.deepEqual(await stack.look('/connections'), { '@TOTAL@': 0 });
    await half.write('a"]}'.slice(-3));
    assert.equal((await half.head()).status, 200);
    assert.deepEqual(await stack.untilTotal(1), { '@ANON_CONNECTION@': 1, '@TOTAL@': 1 });
    half.destroy();
  });

  test('a client that goes before it has read its answer is not left behind', async () => {
    for (let i = 0; i < 200; i++) {
      const raw = await RawConnection.open(stack.port);
      await raw.write(requestText('POST', '/', { body: '{"ep":["a"],"clid":"hasty"}' }));
      raw.destroy();
    }
    const page1 = await page('last');
    assert.deepEqual(await stack.untilTotal(1), { last: 1, '@TOTAL@': 1 });
    await page1.close();
  });
});

describe('looking in', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('look');
    client = await stack.subscribe(
      { ep: ['a', 'b/#'], clid: 'casa' },
      {
        headers: {
          Cookie: 'session=very-secret-cookie',
          Authorization: 'Basic very-secret-basic',
          'Proxy-Authorization': 'Basic very-secret-proxy',
          'User-Agent': 'the-test/1.0',
        },
      },
    );
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  test('needs the admin token, in the query or as Bearer', async () => {
    for (const route of ['/connections', '/connections?clid=casa', '/connections?clid=casa&details=true', '/state', '/memory']) {
      const join = route.includes('?') ? '&' : '?';
      for (const [target, headers] of [
        [route, {}],
        [`${route}${join}token=`, {}],
        [`${route}${join}token=wrong`, {}],
        [`${route}${join}token=${stack.publishToken}`, {}],
        [`${route}${join}token=${stack.adminToken}x`, {}],
        [route, { Authorization: 'Bearer wrong' }],
        [route, { Authorization: `Basic ${stack.adminToken}` }],
      ]) {
        const answer = await stack.get(target, { headers });
        assert.equal(answer.status, 401, target);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.equal(answer.text.includes('casa'), false);
      }
      for (const [target, headers] of [
        [`${route}${join}token=${stack.adminToken}`, {}],
        [route, { Authorization: `Bearer ${stack.adminToken}` }],
        [`${route}${join}token=${stack.adminToken}`, { Authorization: 'Bearer of-a-gateway' }],
        [`${route}${join}token=wrong`, { Authorization: `Bearer ${stack.adminToken}` }],
      ]) {
        const answer = await stack.get(target, { headers });
        assert.equal(answer.status, 200, target);
        assert.notEqual(answer.json, undefined, answer.text);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
      }
    }
  });

  test('/connections counts by client id, one client id is the bare number', async () => {
    assert.deepEqual(await stack.look('/connections'), { casa: 1, '@TOTAL@': 1 });
    assert.equal(await stack.look('/connections?clid=casa'), 1);
    assert.equal(await stack.look('/connections?clid=nobody'), 0);
  });

  test('details show head and body of the request, without what is secret', async () => {
    const details = await stack.look('/connections?clid=casa&details=true');
    assert.deepEqual(Object.keys(details), [String(client.connid)]);
    const { headers, body } = details[client.connid];
    const names = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    assert.equal(names['user-agent'], 'the-test/1.0');
    assert.deepEqual(body.ep, ['a', 'b/#']);
    assert.equal(body.clid, 'casa');
    for (const name of ['cookie', 'authorization', 'proxy-authorization']) {
      assert.ok(name in names, `${name} is shown`);
    }
    assert.equal(JSON.stringify(details).includes('very-secret'), false, JSON.stringify(details));
    assert.equal(JSON.stringify(details).includes(client.secret), false);
    assert.deepEqual(await stack.look('/connections?clid=nobody&details=true'), {});
  });

  test('/state and /memory are objects of figures', async () => {
    const { connections, transports, clids, topics } = await stack.look('/state');
    assert.deepEqual([connections, transports.frames, clids, topics], [1, 1, 1, 2]);
    const memory = await stack.look('/memory');
    for (const part of ['resident', 'explained', 'connections', 'streams', 'topics', 'presence']) {
      assert.ok(memory[part] > 0, `${part} in ${JSON.stringify(memory)}`);
    }
  });
});

describe('looking in without an admin token', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('noadmin', { config: { admin: { token_file: '' } } });
  });
  after(() => stack?.stop());

  test('is for nobody', async () => {
    for (const target of ['/connections', '/state?token=', '/memory?token=x', '/state?token']) {
      assert.equal((await stack.get(target)).status, 401, target);
    }
  });
});
