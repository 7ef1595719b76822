'use strict';

// Behind a web server the daemon knows its clients apart, and none of them can say that it is somebody else.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { newFolder } = require('./lib/paths');
const { startProxy } = require('./lib/proxies');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

after(() => RawConnection.destroyAll());

const BODY = '{"ep":["a"]}';
const FORGED = '203.0.113.9';

/** A subscription from one of this machine's addresses, which claims to come from another one. */
async function subscribe(port, localAddress, path, headers = {}) {
  const connection = await RawConnection.open(port, { localAddress });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  await connection.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  );
  return connection;
}

const addresses = async (stack) =>
  Object.values(await stack.look('/connections?details=true'))
    .map(({ address }) => address)
    .sort();

const untilAddresses = (stack, expected) =>
  until(`the streams are those of ${expected}`, async () => {
    const found = await addresses(stack);
    return found.length === expected.length && assert.deepEqual(found, expected) === undefined;
  });

// Each server is a world of its own; all of them wait most of the time.
describe('addresses behind web servers', { concurrency: true }, () => {
  for (const name of Object.keys(servers).filter((each) => servers[each].mode !== 'redirect')) {
    describe(`behind ${name}, as configured in deploy/`, { concurrency: 1 }, () => {
      let web;
      before(async () => {
        web = await BehindWebServer.start(name, { config: { fanout: { max_connections_per_address: 3 } } });
      });
      after(() => web?.stop());

      test('each client has its own address, whatever it says in headers', async () => {
        const held = [
          await subscribe(web.port, '127.0.0.77', '/notify/', { 'X-Forwarded-For': FORGED }),
          await subscribe(web.port, '127.0.0.78', '/notify/', { Forwarded: `for=${FORGED}` }),
          await subscribe(web.port, '127.0.0.79', '/notify/', { 'X-Forwarded-For': `${FORGED}, 127.0.0.1` }),
        ];
        await untilAddresses(web.stack, ['127.0.0.77', '127.0.0.78', '127.0.0.79']);
        held.forEach((connection) => connection.destroy());
        await web.stack.untilTotal(0);
      });

      test('so limits are for each client, and no header is a way round them', async () => {
        const held = [];
        for (let i = 0; i < 3; i++) {
          held.push(await subscribe(web.port, '127.0.0.77', '/notify/', { 'X-Forwarded-For': `203.0.113.${i}` }));
        }
        await untilAddresses(web.stack, ['127.0.0.77', '127.0.0.77', '127.0.0.77']);
        const refused = await subscribe(web.port, '127.0.0.77', '/notify/', { 'X-Forwarded-For': '203.0.113.4' });
        const answer = await refused.answer();
        assert.equal(answer.status, 503, answer.text);
        held.push(refused, await subscribe(web.port, '127.0.0.78', '/notify/'));
        await untilAddresses(web.stack, ['127.0.0.77', '127.0.0.77', '127.0.0.77', '127.0.0.78']);
        held.forEach((connection) => connection.destroy());
        await web.stack.untilTotal(0);
      });
    });
  }
});

describe('addresses behind HAProxy, as docs/clients.md advises', () => {
  let stack;
  let proxy;
  let folder;
  before(async () => {
    folder = newFolder('haproxy');
    stack = await Stack.start('haproxy', { handlers: 1, config: { fanout: { max_connections_per_address: 2 } } });
    proxy = await startProxy('HAProxy', folder, stack.port);
  });
  after(async () => {
    await proxy?.stop();
    await stack?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('each client has its own, whatever it says in headers, and limits are for each', async () => {
    const forged = { 'X-Forwarded-For': `${FORGED}, 127.0.0.1` };
    const held = [
      await subscribe(proxy.port, '127.0.0.77', '/', forged),
      await subscribe(proxy.port, '127.0.0.77', '/', forged),
      await subscribe(proxy.port, '127.0.0.78', '/', forged),
    ];
    await untilAddresses(stack, ['127.0.0.77', '127.0.0.77', '127.0.0.78']);
    const refused = await subscribe(proxy.port, '127.0.0.77', '/', forged);
    assert.equal((await refused.answer()).status, 503);
    [...held, refused].forEach((connection) => connection.destroy());
    await stack.untilTotal(0);
  });
});

describe('whom the daemon believes', () => {
  let stack;
  beforeEach(async () => {
    stack = await Stack.start('believed', {
      handlers: 1,
      config: { fanout: { trusted_proxies: '127.0.0.2 127.0.0.16/28', max_connections_per_address: 2 } },
    });
  });
  afterEach(() => stack?.stop());

  const ask = async (localAddress, headers) => subscribe(stack.port, localAddress, '/', headers);

  async function addressesOf(...asked) {
    const held = await Promise.all(asked.map(([from, headers]) => ask(from, headers)));
    await until('all are there', async () => (await addresses(stack)).length === held.length);
    const found = await addresses(stack);
    held.forEach((connection) => connection.destroy());
    await stack.untilTotal(0);
    return found;
  }

  test('only its trusted proxies', async () => {
    const says = { 'X-Forwarded-For': FORGED };
    assert.deepEqual(await addressesOf(['127.0.0.2', says]), [FORGED]);
    assert.deepEqual(await addressesOf(['127.0.0.17', says]), [FORGED]);
    assert.deepEqual(await addressesOf(['127.0.0.3', says]), ['127.0.0.3']);
  });

  test('only the header that was agreed on, and the last address in it that is no proxy', async () => {
    assert.deepEqual(await addressesOf(['127.0.0.2', { Forwarded: `for=${FORGED}` }]), ['127.0.0.2']);
    assert.deepEqual(await addressesOf(['127.0.0.2', { 'X-Forwarded-For': '192.0.2.1, 2001:db8:1:2::3, 127.0.0.18' }]), [
      '2001:db8:1:2::/64',
    ]);
    assert.deepEqual(await addressesOf(['127.0.0.2', { 'X-Forwarded-For': '192.0.2.1, nonsense' }]), ['127.0.0.2']);
  });

  test('a connection that is kept serves one client after the other', async () => {
    const poll = (address) =>
      `POST /poll HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\nContent-Length: 21\r\n\r\n{"ep":["a"],"wait":0}`;
    const proxy = await RawConnection.open(stack.port, { localAddress: '127.0.0.2' });
    for (let i = 0; i < 10; i++) {
      for (const address of ['192.0.2.1', '192.0.2.2']) {
        await proxy.write(poll(address));
        assert.equal((await proxy.answer()).status, 200);
      }
    }
    proxy.destroy();
  });

  test('the standard one where that was agreed on', async () => {
    stack.writeConfig({ fanout: { proxy_header: 'forwarded' } });
    stack.daemon.signal('SIGHUP');
    await stack.daemon.untilLog(/configuration reloaded/);
    assert.deepEqual(
      await addressesOf(['127.0.0.2', { Forwarded: `for=192.0.2.7;proto=https, for="${FORGED}:4711"`, 'X-Forwarded-For': '192.0.2.1' }]),
      [FORGED],
    );
  });

  test('nonsense in the configuration is said', async () => {
    stack.writeConfig({ fanout: { trusted_proxies: 'localhost 10.0.0.1/8' } });
    stack.daemon.signal('SIGHUP');
    await stack.daemon.untilLog(/"localhost\\?" should be an address, a range of them such as 10\.0\.0\.0\/8, or unix/);
  });
});
