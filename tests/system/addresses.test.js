'use strict';

// Where the programs listen: names, and what is wrong with an address.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { FastCgi, postBytes } = require('./lib/fastcgi');
const { request } = require('./lib/http');
const { newFolder, programs, tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program, run } = require('./lib/program');
const { Stack } = require('./lib/stack');

// As Debian writes /etc/hosts: snippets and documents say 127.0.0.1, the resolver names ::1 first.
const HOSTS = '127.0.0.1 localhost partly\n::1 localhost ip6-localhost ip6-loopback\n2001:db8::77 partly\n';

describe('a name stands for each of its addresses', () => {
  let stack;
  let wrapper;
  let port;
  before(async () => {
    port = await freePort();
    stack = new Stack('names', { handlers: 0, addresses: [`localhost:${port}`] });
    const hosts = path.join(stack.folder, 'hosts');
    fs.writeFileSync(hosts, HOSTS);
    const script = `mount --bind ${hosts} /etc/hosts && exec "$@"`;
    wrapper = [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
    stack.options.wrapper = wrapper;
    await stack.start();
  });
  after(() => stack?.stop());

  test('of the daemon, which says what it bound', async () => {
    for (const host of ['127.0.0.1', '[::1]']) {
      const answer = await request(`http://${host}:${port}/healthz`, { agent: false });
      assert.equal(answer.status, 200, host);
      await stack.daemon.untilLog(new RegExp(`listening.*address="?${host.replace(/[[\].]/g, '\\$&')}:${port}`));
    }
  });

  test('of a handler, whose workers serve all of them', async () => {
    const own = await freePort();
    const handler = new Program(
      'esn-event',
      [...wrapper, programs.event, '--config', stack.file, '--listen', `localhost:${own}`, '--workers', '2'],
      { log: path.join(stack.folder, 'esn-event.log') },
    );
    await handler.untilLog(/ready/);
    assert.doesNotMatch(handler.output(), /not listening on each address/);
    for (const host of ['127.0.0.1', '::1', '127.0.0.1', '::1']) {
      const connection = new FastCgi({ host, port: own });
      await connection.send(postBytes(stack.publishToken, { ep: ['a'], e: { type: 'x' } }));
      assert.equal((await connection.answer()).status, 200, host);
      connection.destroy();
    }
    assert.equal(await handler.end(), 0);
  });

  test('of which those that this machine has not are left out, and that is said', async () => {
    const own = await freePort();
    const handler = new Program('esn-event', [...wrapper, programs.event, '--config', stack.file, '--listen', `partly:${own}`, '--workers', '1'], {
      log: path.join(stack.folder, 'esn-event.partly.log'),
    });
    await handler.untilLog(/ready/);
    assert.match(handler.output(), new RegExp(`warning esn-event: not listening on each address of a name name="?partly:${own}"? `));
    const connection = new FastCgi({ host: '127.0.0.1', port: own });
    await connection.send(postBytes(stack.publishToken, { ep: ['a'], e: { type: 'x' } }));
    assert.equal((await connection.answer()).status, 200);
    connection.destroy();
    assert.equal(await handler.end(), 0);
  });
});

test('an address without a port is a fault of the configuration, for lines too', async () => {
  const folder = newFolder('no-port');
  const file = path.join(folder, 'es-web-notify.conf');
  fs.writeFileSync(file, '[fanout]\nlisten = 127.0.0.1\nlisten_lines = nonsense 127.0.0.1\n');
  const { code, stdout, stderr } = await run([programs.fanout, '--config', file, '--check-config']);
  assert.notEqual(code, 0);
  const said = stdout + stderr;
  assert.match(said, /:2: \[fanout\] listen: "127\.0\.0\.1" should be host:port/);
  assert.match(said, /:3: \[fanout\] listen_lines: "nonsense" should be host:port/);
  assert.match(said, /:3: \[fanout\] listen_lines: "127\.0\.0\.1" should be host:port/);
});
