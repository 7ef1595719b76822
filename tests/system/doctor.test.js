'use strict';

// esnctl doctor: broken installations behind real web servers, each found with the line to change; and sound ones.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { startApache } = require('./lib/apache');
const { request } = require('./lib/http');
const { programs, source, tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program, run } = require('./lib/program');
const { makeCertificate } = require('./lib/secure');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { BehindWebServer } = require('./lib/webservers');

const isRoot = process.getuid() === 0;
const ORIGIN = 'https://shop.example';

/** What doctor says; its exit status has to fit. */
async function doctor(conf, words) {
  const ended = await run([programs.esnctl, 'doctor', '--json', '--patience', '0', ...words], { env: { ESN_CONF: conf } });
  const { findings } = JSON.parse(ended.stdout || 'null') ?? assert.fail(ended.stderr);
  assert.equal(ended.code, findings.length > 0 ? 1 : 0, ended.stderr);
  return findings;
}

/** The finding of this name, with the line and file that are to be changed. */
function expectFinding(findings, name, line, file) {
  const finding = findings.find((one) => one.name === name);
  assert.ok(finding, `${name} among ${JSON.stringify(findings, null, 1)}`);
  assert.match(finding.line, line, name);
  assert.match(finding.file, file, name);
  assert.ok(finding.seen && finding.why, name);
  return finding;
}

const NGINX = /nginx\.conf:\d+$/;

describe('doctor behind nginx', { concurrency: 4 }, () => {
  let web;
  let stack;
  let site;
  const started = [];
  let folders = 0;
  before(async () => {
    web = await BehindWebServer.start('nginx');
    stack = web.stack;
    const text = fs.readFileSync(path.join(source, 'deploy/nginx/es-web-notify.conf'), 'utf8');
    site = text
      .replaceAll('127.0.0.1:8010', `127.0.0.1:${stack.port}`)
      .replaceAll('/run/es-web-notify/event.sock', stack.handlers[0].socket)
      .replaceAll('/run/es-web-notify/subscribe.sock', web.subscribeSocket);
  });
  after(async () => {
    await Promise.all(started.map((program) => program.end()));
    await web?.stop();
  });

  const newFolder = () => {
    const folder = path.join(stack.folder, `site-${++folders}`);
    fs.mkdirSync(folder, { mode: 0o755 });
    return folder;
  };

  /** The site with some of its text changed. */
  function changed(...changes) {
    return changes.reduce((text, [from, to]) => {
      assert.ok(text.includes(from), `${from} in the site`);
      return text.replaceAll(from, to);
    }, site);
  }

  /** nginx with this site; gives the address under which pages have the broker. */
  async function start(server, { connections = 8192, files = 16384, user = 'root', tls, wrapper = [] } = {}) {
    const folder = newFolder();
    const port = await freePort();
    const file = path.join(folder, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`);
    fs.writeFileSync(
      file,
      `${isRoot ? `user ${user};` : ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile ${files};
pid ${folder}/pid;
error_log stderr warn;
events {
  worker_connections ${connections};
}
http {
  access_log ${folder}/access.log;
  ${temporary.join('\n  ')}
  gzip on;
  gzip_types *;
  gzip_proxied any;
  gzip_min_length 1;
  server {
    listen 127.0.0.1:${port}${tls ? ' ssl' : ''};
    ${tls ? `ssl_certificate ${tls.cert};\n    ssl_certificate_key ${tls.key};` : ''}
${server}
  }
}
`,
    );
    const command = [...wrapper, tool('nginx', 'nginx'), '-p', folder, '-c', file, '-e', 'stderr'];
    const nginx = new Program('nginx', command, { log: path.join(folder, 'nginx.log') });
    started.push(nginx);
    const name = tls?.host ?? '127.0.0.1';
    await nginx.until('nginx listens', () => fs.existsSync(path.join(folder, 'pid')));
    return `http${tls ? 's' : ''}://${name}:${port}/notify/`;
  }

  /** A configuration beside the stack's own, with these sections changed. */
  function confWith(name, changes, prepare = () => {}) {
    const file = path.join(stack.folder, `${name}.conf`);
    prepare();
    const text = fs.readFileSync(stack.file, 'utf8');
    const more = Object.entries(changes).map(([section, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `${key} = ${value}`);
      return [section, lines.join('\n')];
    });
    let whole = text;
    for (const [section, lines] of more) {
      const keys = lines.split('\n').map((line) => line.split(' = ')[0]);
      for (const key of keys) {
        whole = whole.replace(new RegExp(`(\\[${section}\\]\\n(?:(?!\\[).*\\n)*?)${key} = .*\\n`), '$1');
      }
      whole = whole.includes(`[${section}]`) ? whole.replace(`[${section}]\n`, `[${section}]\n${lines}\n`) : `${whole}\n[${section}]\n${lines}\n`;
    }
    fs.writeFileSync(file, whole);
    return file;
  }

  test('a sound one has no finding', async () => {
    const findings = await doctor(stack.file, ['--wait', '60', '--patience', '1', '--origin', 'http://shop.example', web.url]);
    assert.deepEqual(findings, []);
    const ended = await run([programs.esnctl, 'doctor', '--wait', '60', '--patience', '0', web.url], { env: { ESN_CONF: stack.file } });
    assert.match(ended.stdout, /^Nothing is wrong/);
    assert.equal(ended.code, 0);
  });

  const sites = [
    ['nginx buffers', [['proxy_buffering off;', 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;'], ['proxy_http_version 1.1;', '']],
      'buffered', /^proxy_buffering off;$/, NGINX, ['--wait', '2']],
    ['gzip', [['gzip off;', '']], 'compressed', /^gzip off;$/, NGINX],
    ['HTTP/1.0 to the daemon', [['proxy_http_version 1.1;', '']], 'http-1.0', /^proxy_http_version 1\.1;$/, NGINX, ['--wait', '5']],
    ['no Upgrade', [['proxy_set_header Upgrade $http_upgrade;', '']], 'websocket', /Upgrade \$http_upgrade/, NGINX],
    ['a short read time-out', [['proxy_read_timeout 1d;', 'proxy_read_timeout 1s;']],
      'idle-timeout', /^proxy_read_timeout 1d;$/, NGINX, ['--patience', '20']],
    ['another inner prefix', [['/_fanout/', '/_inner/']], 'handoff-prefix', /location \^~ \/_fanout\/|prefix/, /site/],
    ['/_fanout/ is open', [['location ^~ /_fanout/ {\n    internal;', 'location ^~ /_fanout/ {']], 'fanout-open', /^internal;$/, NGINX],
    ['queries are logged', [['access_log off;', '']], 'logged-query', /^access_log off;$/, NGINX],
    ['small bodies', [['client_max_body_size 16m;', 'client_max_body_size 1k;']], 'body-limit', /^client_max_body_size 16m;$/, NGINX],
  ];
  for (const [name, changes, finding, line, file, words = []] of sites) {
    test(name, async () => {
      const url = await start(changed(...changes));
      expectFinding(await doctor(stack.file, [...words, url]), finding, line, file);
    });
  }

  test('another prefix', async () => {
    const url = await start(site);
    expectFinding(await doctor(stack.file, [url.replace('/notify/', '/wrong/')]), 'prefix', /location \/notify\//, /site/);
  });

  test('few connections, few files', async () => {
    const findings = await doctor(stack.file, [await start(site, { connections: 512, files: 400 })]);
    expectFinding(findings, 'worker-connections', /^worker_connections 8192;$/, NGINX);
    expectFinding(findings, 'worker-files', /^worker_rlimit_nofile/, NGINX);
  });

  test('the daemon, and each handler, is away', async () => {
    const port = await freePort();
    const away = await start(changed([`127.0.0.1:${stack.port}`, `127.0.0.1:${port}`]));
    expectFinding(await doctor(stack.file, [away]), 'daemon-away', /esn-fanout.*proxy_pass/, NGINX);
    const noEvent = await start(changed([stack.handlers[0].socket, '/nowhere/event.sock']));
    expectFinding(await doctor(stack.file, [noEvent]), 'event-away', /esn-event\.socket/, NGINX);
    const noSubscribe = await start(changed([web.subscribeSocket, '/nowhere/subscribe.sock']));
    expectFinding(await doctor(stack.file, [noSubscribe]), 'subscribe-away', /esn-subscribe\.socket/, NGINX);
  });

  test('the web server may not open the sockets', async () => {
    const socket = path.join(newFolder(), 'event.sock');
    const handler = new Program('esn-event-closed', [programs.event, '--config', stack.file, '--listen', `unix:${socket}`, '--workers', '1'], {
      log: `${socket}.log`,
    });
    started.push(handler);
    await handler.until('it listens', () => fs.existsSync(socket));
    fs.chmodSync(socket, isRoot ? 0o600 : 0);
    const url = await start(changed([stack.handlers[0].socket, socket]), { user: 'nobody nogroup' });
    expectFinding(await doctor(stack.file, [url]), 'socket-group', /adduser www-data esn-web/, /group/);
  });

  test('another token, another ticket secret, a token that others can read', async () => {
    const url = await start(site);
    const other = confWith('other-token', { publish: { token_file: path.join(stack.folder, 'other.token') } }, () =>
      stack.writeTokens('other.token', ['another token than the one of esn-event']),
    );
    expectFinding(await doctor(other, [url]), 'publish-token', /\[publish\] token_file/, /other-token\.conf$/);
    const open = confWith('open-token', { publish: { token_file: path.join(stack.folder, 'open.token') } }, () => {
      stack.writeTokens('open.token', [stack.publishToken]);
      fs.chmodSync(path.join(stack.folder, 'open.token'), 0o644);
    });
    expectFinding(await doctor(open, [url]), 'check-config', /as it says/, /open\.token/);
    const secret = confWith('other-secret', { ticket: { secret_file: path.join(stack.folder, 'other.secret') } }, () =>
      stack.writeTokens('other.secret', ['another secret than that of the daemon, as long as it has to be']),
    );
    const socket = path.join(newFolder(), 'subscribe.sock');
    const handler = new Program('esn-subscribe-other', [programs.subscribe, '--config', secret, '--listen', `unix:${socket}`, '--workers', '1'], {
      log: `${socket}.log`,
    });
    started.push(handler);
    await handler.until('it listens', () => fs.existsSync(socket));
    const mixed = await start(changed([web.subscribeSocket, socket]));
    expectFinding(await doctor(stack.file, [mixed]), 'ticket-secret', /\[ticket\] secret_file/, /esn-subscribe/);
  });

  test('the binding server is down, and there is no database', async () => {
    const down = confWith('binding', {
      binding: { mode: 'server', url: `http://127.0.0.1:${await freePort()}/whose` },
      acl: { kind: 'sqlite', file: path.join(stack.folder, 'empty.db') },
    }, () => fs.writeFileSync(path.join(stack.folder, 'empty.db'), '', { mode: 0o600 }));
    const findings = await doctor(down, [await start(site)]);
    expectFinding(findings, 'binding-server', /\[binding\] url/, /binding\.conf$/);
    const table = findings.find(({ name, seen }) => name === 'check-config' && seen.includes('create-tables'));
    assert.ok(table, JSON.stringify(findings));
  });

  test('a clock is off', async () => {
    const url = await start(site, { wrapper: [tool('faketime', 'faketime'), '-f', '+2h'] });
    expectFinding(await doctor(stack.file, [url]), 'clock', /timesyncd/, /machine/);
  });

  test('mixed content, a token in the address, nobody there', async () => {
    const url = await start(site);
    const findings = await doctor(stack.file, ['--origin', ORIGIN, `${url}?token=abc`]);
    expectFinding(findings, 'mixed-content', /listen 443 ssl/, /site/);
    expectFinding(findings, 'token-in-url', /Authorization: Bearer/, /post/);
    assert.ok(!JSON.stringify(findings).includes('abc'));
    expectFinding(await doctor(stack.file, [`http://127.0.0.1:${await freePort()}/notify/`]), 'unreachable', /listen/, /main/);
  });

  test('certificates: expired, soon, of another name, of an unknown issuer', async () => {
    const folder = newFolder();
    const cert = (name, host, days, wrapper) => makeCertificate(folder, name, [host], { days, wrapper });
    const good = cert('good', '127.0.0.1', 90);
    const look = async (tls, ca = tls.cert) => doctor(stack.file, [...(ca ? ['--ca', ca] : []), await start(site, { tls })]);
    assert.deepEqual(await look(good), []);
    const PLACE = /nginx\.conf:\d+$/;
    expectFinding(await look(cert('soon', '127.0.0.1', 3)), 'certificate-soon', /ssl_certificate/, PLACE);
    expectFinding(await look(cert('old', '127.0.0.1', 1, [tool('faketime', 'faketime'), '-f', '-9d'])), 'certificate-expired', /ssl_certificate/, PLACE);
    expectFinding(await look(cert('other', 'other.example', 90)), 'certificate-name', /ssl_certificate/, PLACE);
    expectFinding(await look(good, null), 'certificate-untrusted', /chain/, PLACE);
    const own = ({ cert: tls_cert, key: tls_key }) => confWith('tls', { fanout: { listen_tls: '127.0.0.1:8443', tls_cert, tls_key } });
    const check = (conf) => run([programs.esnctl, 'check-config', '--config', conf]);
    assert.equal((await check(own(good))).code, 0);
    const expired = await check(own(cert('older', '127.0.0.1', 1, [tool('faketime', 'faketime'), '-f', '-9d'])));
    assert.match(expired.stderr, /older\.crt: the certificate has expired/);
    assert.equal(expired.code, 1);
  });

  test('pages of an origin that may not; fewer files than connections', async () => {
    const other = await Stack.start('doctor', { config: { web: { origins: 'https://other.example' }, fanout: { max_connections: '10000000' } } });
    try {
      const url = await start(changed([`127.0.0.1:${stack.port}`, `127.0.0.1:${other.port}`]));
      const findings = await doctor(other.file, ['--wait', '5', '--origin', ORIGIN, url]);
      expectFinding(findings, 'cors', /\[web\] origins/, /es-web-notify\.conf$/);
      expectFinding(findings, 'open-files', /^LimitNOFILE=10000064$/, /esn-fanout\.service/);
    } finally {
      await other.stop();
    }
  });

  test('how it is called', async () => {
    const bad = async (...words) => {
      const ended = await run([programs.esnctl, 'doctor', ...words], { env: { ESN_CONF: stack.file } });
      assert.equal(ended.code, 2, ended.stdout);
    };
    await bad();
    await bad('ftp://shop.example/');
    await bad('--patience', 'x', 'http://shop.example/');
    const ended = await run([programs.esnctl, 'doctor', '--patience', '0', await start(changed(['gzip off;', '']))], { env: { ESN_CONF: stack.file } });
    assert.match(ended.stdout, /^compressed: .*\n {2}why: .*\n {2}change: gzip off;\n {2}in: \/.*nginx\.conf:\d+\n/m);
  });
});

describe('doctor behind Apache', () => {
  test('a sound one; mod_deflate; mod_proxy_fcgi that does not hand on', async () => {
    const web = await BehindWebServer.start('Apache with mod_fcgid');
    const servers = [];
    try {
      assert.deepEqual(await doctor(web.stack.file, ['--wait', '60', web.url]), []);
      const adapted = (file) =>
        fs
          .readFileSync(path.join(source, 'deploy/apache', file), 'utf8')
          .replaceAll('127.0.0.1:8010', `127.0.0.1:${web.stack.port}`)
          .replaceAll('/run/es-web-notify/event.sock', web.stack.handlers[0].socket)
          .replaceAll('/run/es-web-notify/subscribe.sock', web.subscribeSocket)
          .replaceAll('/usr/local/libexec/esn-subscribe', programs.subscribe)
          .replaceAll('/etc/es-web-notify.conf', web.stack.file);
      const start = async (name, directives) => {
        const folder = path.join(web.stack.folder, name);
        fs.mkdirSync(folder);
        const port = await freePort();
        servers.push(await startApache(folder, port, directives));
        return `http://127.0.0.1:${port}/notify/`;
      };
      const deflate = await start('deflate', adapted('es-web-notify.conf').replaceAll('SetEnv no-gzip 1', '').replaceAll('SetEnv no-brotli 1', ''));
      expectFinding(await doctor(web.stack.file, [deflate]), 'compressed', /^SetEnv no-gzip 1$/, /apache\.conf:\d+$|site/);
      const local = await start('proxy-fcgi', adapted('es-web-notify-redirect.conf'));
      expectFinding(await doctor(web.stack.file, ['--wait', '5', local]), 'handoff', /mode = redirect/, /es-web-notify\.conf/);
    } finally {
      await Promise.all(servers.map((server) => server.end()));
      await web.stop();
    }
  });
});
