'use strict';

// Proxies that say in front of everything else for whom a connection is: HAProxy in both versions, nginx's `stream`; in front of
// TLS and of lines too. Nobody else can say it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program } = require('./lib/program');
const { RawConnection, requestText } = require('./lib/raw');
const { makeCertificate } = require('./lib/secure');
const { Stack } = require('./lib/stack');
const { LinePeer } = require('./lib/two-way');
const { until } = require('./lib/wait');

const CLIENT = '127.0.0.77';
const KINDS = ['http', 'https', 'lines']; // of the daemon's listeners
const SUBSCRIPTION = requestText('POST', '/', { body: '{"ep":["a"]}' });

/** Each proxy: (folder, [[port, daemon's port]]) => {command, config}, with a port for each of KINDS. */
const haproxy = (option) => (folder, pairs) => ({
  config: `
defaults
  mode tcp
  timeout connect 5s
  timeout client 2m
  timeout server 2m
${pairs.map(([port, daemon], i) => `listen to-${i}
  bind 127.0.0.1:${port}
  server daemon 127.0.0.1:${daemon} ${option} check inter 100ms`).join('\n')}
`,
  command: (file) => [tool('haproxy', 'haproxy'), '-db', '-f', file],
});

const PROXIES = {
  'HAProxy, version 1': haproxy('send-proxy'),
  'HAProxy, version 2': haproxy('send-proxy-v2'),
  'nginx\'s stream': (folder, pairs) => ({
    config: `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr warn;
events { worker_connections 64; }
stream {
${pairs.map(([port, daemon]) => `  server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${daemon}; proxy_protocol on; }`).join('\n')}
}
`,
    command: (file) => [tool('nginx', 'nginx'), '-p', folder, '-c', file, '-e', 'stderr'],
  }),
};

describe('the PROXY protocol', () => {
  let stack;
  let behind; // KIND: the daemon's port
  const started = [];

  before(async () => {
    stack = new Stack('proxy-protocol', {});
    behind = Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await freePort()])));
    const { cert, key } = makeCertificate(stack.folder, 'certificate', ['127.0.0.1']);
    const at = (kind) => `127.0.0.1:${behind[kind]}`;
    stack.config = {
      fanout: {
        listen: `${at('http')} unix:${stack.socketPath}`,
        listen_tls: at('https'),
        listen_lines: at('lines'),
        tls_cert: cert,
        tls_key: key,
        proxy_protocol: KINDS.map(at).join(' '),
        trusted_proxies: '127.0.0.1',
        max_connections_per_address: 2,
      },
      metrics: { addresses: '127.0.0.1' },
    };
    await stack.start();
  });
  after(async () => {
    await Promise.all(started.map((proxy) => proxy.end()));
    await stack?.stop();
  });
  afterEach(async () => {
    RawConnection.destroyAll();
    await stack.untilTotal(0);
  });

  /** Gives {KIND: port}. */
  async function start(name) {
    const folder = path.join(stack.folder, `proxy-${started.length}`);
    fs.mkdirSync(folder);
    const ports = Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await freePort()])));
    const { config, command } = PROXIES[name](folder, KINDS.map((kind) => [ports[kind], behind[kind]]));
    const file = path.join(folder, 'config');
    fs.writeFileSync(file, config);
    const proxy = new Program(name, command(file), { log: path.join(folder, 'log') });
    started.push(proxy);
    await proxy.until(`${name} answers`, async () => {
      const raw = await RawConnection.open(ports.http);
      await raw.write(requestText('GET', '/healthz'));
      const { status } = await raw.answer();
      raw.destroy();
      return status === 200;
    });
    return ports;
  }

  const addresses = async () => Object.values(await stack.look('/connections?details=true')).map(({ address }) => address);

  /** A stream through a proxy, of this machine's address. */
  async function subscribe(kind, port, localAddress) {
    if (kind === 'lines') {
      return (await LinePeer.open(port, { ep: ['a'] }, { localAddress })).raw;
    }
    const raw = await RawConnection.open(port, { localAddress, secure: kind === 'https' });
    await raw.write(SUBSCRIPTION);
    assert.equal((await raw.head()).status, 200);
    return raw;
  }

  for (const name of Object.keys(PROXIES)) {
    test(`${name}: each client has its own address, by HTTP, HTTPS and lines`, async () => {
      const ports = await start(name);
      for (const [i, kind] of KINDS.entries()) {
        await subscribe(kind, ports[kind], `127.0.0.${77 + i}`);
      }
      await stack.untilTotal(3);
      assert.deepEqual((await addresses()).sort(), ['127.0.0.77', '127.0.0.78', '127.0.0.79']);
    });
  }

  test('limits are for each client, and what is for some addresses is for the client\'s', async () => {
    const ports = await start('HAProxy, version 2');
    await subscribe('http', ports.http, CLIENT);
    await subscribe('http', ports.http, CLIENT);
    const third = await RawConnection.open(ports.http, { localAddress: CLIENT });
    await third.write(SUBSCRIPTION);
    assert.equal((await third.answer()).status, 503);
    for (const [localAddress, status] of [['127.0.0.88', 401], ['127.0.0.1', 200]]) {
      const raw = await RawConnection.open(ports.http, { localAddress });
      await raw.write(requestText('GET', '/metrics'));
      assert.equal((await raw.head()).status, status, localAddress); // the metrics themselves look like a stream
    }
  });

  test('a stranger is not listened to, nor a proxy that says nothing of the kind', async () => {
    const header = `PROXY TCP4 ${CLIENT} 127.0.0.1 1 2\r\n`;
    const cases = [
      ['127.0.0.99', header + SUBSCRIPTION, /of none of trusted_proxies address=127\.0\.0\.99/],
      ['127.0.0.1', SUBSCRIPTION, /does not begin as that has it"? address=127\.0\.0\.1/],
    ];
    for (const [localAddress, text, line] of cases) {
      const raw = await RawConnection.open(behind.http, { localAddress });
      await raw.write(text);
      await raw.closed();
      await until(`the log has ${line}`, () => line.test(stack.daemon.output()));
    }
    const twice = await RawConnection.open(behind.http);
    await twice.write(header + header + SUBSCRIPTION);
    assert.equal((await twice.answer()).status, 400, 'a second header is the client\'s');
    assert.deepEqual(await addresses(), []);
  });
});
