'use strict';

// deploy/container/health, which the container's image asks whether its program is well.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { freePort } = require('./lib/ports');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const HEALTH = path.join(__dirname, '../../deploy/container/health');
const INIT = ['sh', '-c', '"$@" & trap "kill $!" TERM; wait; wait', 'init'];

const ask = (process, env = {}) => run([HEALTH, String(process)], { env });

describe('the health of a container', () => {
  let stack;
  let addresses;
  before(async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    addresses = { plain: `127.0.0.1:${ports[0]}`, six: `[::1]:${ports[1]}`, proxied: `127.0.0.1:${ports[2]}` };
    stack = await Stack.start('health', {
      handlers: 1,
      addresses: Object.values(addresses),
      wrapper: INIT,
      config: { fanout: { proxy_protocol: addresses.proxied } },
    });
  });
  after(() => stack?.stop());

  const daemon = () => stack.daemon.pid;

  test('is that of the daemon below an init, by the addresses of its file', async () => {
    const { code, stderr } = await ask(daemon());
    assert.deepEqual([code, stderr], [0, '']);
  });

  for (const name of ['plain', 'six', 'proxied']) {
    test(`by the environment: ${name}`, async () => {
      const { code, stderr } = await ask(daemon(), { ESN_FANOUT_LISTEN: addresses[name], ESN_FANOUT_PROXY_PROTOCOL: addresses.proxied });
      assert.deepEqual([code, stderr], [0, '']);
    });
  }

  test('is none where nothing listens, or something else answers', async () => {
    const away = await ask(daemon(), { ESN_FANOUT_LISTEN: `[::1]:${await freePort()}` });
    assert.notEqual(away.code, 0);
    assert.match(away.stderr, /refused/);
    const other = await ask(daemon(), { ESN_FANOUT_LISTEN: `127.0.0.1:${stack.webPort}` });
    assert.notEqual(other.code, 0);
    assert.match(other.stderr, /esn-fanout says: HTTP\/1\.1 404/);
  });

  test('of a handler is whether its socket takes connections', async () => {
    const [handler] = stack.handlers;
    assert.equal((await ask(handler.pid)).code, 0);
    await handler.end();
    const { code, stderr } = await ask(handler.pid);
    assert.notEqual(code, 0);
    assert.match(stderr, /no program of es-web-notify runs here/);
  });

  test('is none while the daemon stands still, whatever the address', async () => {
    const [child] = (await run(['cat', `/proc/${daemon()}/task/${daemon()}/children`])).stdout.split(' ').map(Number);
    process.kill(child, 'SIGSTOP');
    try {
      await until('it stands still', async () => /^State:\s+T/m.test((await run(['cat', `/proc/${child}/status`])).stdout));
      const asked = [addresses.plain, addresses.proxied].map((listen) =>
        ask(daemon(), { ESN_FANOUT_LISTEN: listen, ESN_FANOUT_PROXY_PROTOCOL: addresses.proxied }));
      for (const { code } of await Promise.all(asked)) {
        assert.notEqual(code, 0);
      }
    } finally {
      process.kill(child, 'SIGCONT');
    }
    assert.equal((await ask(daemon())).code, 0);
  });
});
