'use strict';

// esnctl doctor: broken installations behind real web servers, each found with the line to change; and sound ones.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { startApache } = require('./lib/apache');
const { request } = require('./lib/http');
const { MariaDb } = require('./lib/mariadb');
const { programs, source, tool } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program, run } = require('./lib/program');
const { makeCertificate } = require('./lib/secure');
const { Stack } = require('./lib/stack');
const { until, within } = require('./lib/wait');
const { BehindWebServer } = require('./lib/webservers');

const isRoot = process.getuid() === 0;
const ORIGIN = 'https://shop.example';

/** What doctor finds and measures; its exit status has to fit. `wrapper`: command words before it. */
async function examine(conf, words, wrapper = []) {
  const command = [...wrapper, programs.esnctl, 'doctor', '--json', '--patience', '0', '--late', '60', ...words];
  const ended = await run(command, { env: { ESN_CONF: conf } });
  const answer = JSON.parse(ended.stdout || 'null') ?? assert.fail(ended.stderr);
  assert.equal(ended.code, answer.findings.length > 0 ? 1 : 0, ended.stderr);
  return answer;
}

const doctor = async (conf, words) => (await examine(conf, words)).findings;

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

test('each finding is in docs/operate.md, and is brought about by a test', () => {
  const text = (file) => fs.readFileSync(path.join(source, file), 'utf8');
  const names = [...text('esnctl/doctor/findings.c').matchAll(/^ {4}\{"([a-z0-9.-]+)",/gm)].map(([, name]) => name);
  const [document, tests] = [text('docs/operate.md'), text('tests/system/doctor.test.js') + text('tests/install/nginx.test.js')];
  assert.ok(names.length > 40, String(names));
  assert.deepEqual(names.filter((name) => !document.includes(`\`${name}\``)), []);
  assert.deepEqual(names.filter((name) => !tests.includes(`'${name}'`)), []);
});

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

  /** A wrapper's end would leave it behind. */
  function endItself(nginx, file) {
    process.kill(Number(fs.readFileSync(file, 'utf8')), 'SIGTERM');
    return within('the end of nginx', nginx.ended);
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
    listen 127.0.0.1:${port}${tls ? ` ssl${tls.speaks ?? ' http2'}` : ''};
    ${tls ? `ssl_certificate ${tls.cert};\n    ssl_certificate_key ${tls.key};` : ''}
${server}
  }
}
`,
    );
    const command = [...wrapper, tool('nginx', 'nginx'), '-p', folder, '-c', file, '-e', 'stderr'];
    const nginx = new Program('nginx', command, { log: path.join(folder, 'nginx.log') });
    const name = tls?.host ?? '127.0.0.1';
    const itself = path.join(folder, 'pid');
    await nginx.until('nginx listens', () => fs.existsSync(itself) && fs.readFileSync(itself, 'utf8').endsWith('\n'));
    started.push({ end: () => endItself(nginx, itself) });
    return `http${tls ? 's' : ''}://${name}:${port}/notify/`;
  }

  /** A handler of this configuration; gives its socket. */
  async function startHandler(program, name, conf) {
    const socket = path.join(newFolder(), 'handler.sock');
    const handler = new Program(name, [program, '--config', conf, '--listen', `unix:${socket}`, '--workers', '1'], { log: `${socket}.log` });
    started.push(handler);
    await handler.until('it listens', () => fs.existsSync(socket));
    return socket;
  }

  /** The same configuration without the lines of this key. */
  function fileWithout(conf, key) {
    const file = `${conf}.without`;
    fs.writeFileSync(file, fs.readFileSync(conf, 'utf8').replaceAll(new RegExp(`^${key} = .*\\n`, 'gm'), ''));
    return file;
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
    const words = ['--wait', '60', '--late', '60', '--patience', '0', web.url];
    const ended = await run([programs.esnctl, 'doctor', ...words], { env: { ESN_CONF: stack.file } });
    assert.match(ended.stdout, /^Nothing is wrong/);
    for (const way of ['a POST with frames', 'Server-Sent Events', 'a WebSocket']) {
      assert.match(ended.stdout, new RegExp(`^${way}: first byte after \\d+ ms, first frame after \\d+ ms, an event after \\d+ ms$`, 'm'));
    }
    assert.match(ended.stdout, /^long-poll: first byte after \d+ ms, first frame after \d+ ms, an event not seen$/m);
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
    ['a transport that something refuses', [['location = /_fanout/sse {', 'location = /notify/sse { return 403; }\nlocation = /_fanout/sse {']],
      'not-subscribed', /locations of deploy\/nginx/, /site/],
    ['another page in the place of the daemon', [['location ^~ /_fanout/ {', "location = /notify/healthz { return 200 'All is well'; }\nlocation ^~ /_fanout/ {"]],
      'prefix', /location \/notify\//, /site/],
    ['small bodies', [['client_max_body_size 16m;', 'client_max_body_size 1k;']], 'body-limit', /^client_max_body_size 16m;$/, NGINX],
  ];
  for (const [name, changes, finding, line, file, words = []] of sites) {
    test(name, async () => {
      const url = await start(changed(...changes));
      expectFinding(await doctor(stack.file, [...words, url]), finding, line, file);
    });
  }

  test('a shop that has a page for whatever is not there is not the daemon', async () => {
    const inner = 'location ^~ /_fanout/ {';
    const url = await start(changed([inner, `location = /page { return 200 'a shop'; }\n${inner}\n    error_page 404 =200 /page;`]));
    const answer = await fetch(new URL('/_fanout/healthz', url));
    assert.deepEqual([answer.status, await answer.text()], [200, 'a shop']);
    assert.deepEqual(await doctor(stack.file, [url]), []);
  });

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
    const withoutEvent = await doctor(stack.file, [noEvent]);
    expectFinding(withoutEvent, 'event-away', /esn-event\.socket/, NGINX);
    expectFinding(withoutEvent, 'socket-missing', /fastcgi_pass/, NGINX);
    const noSubscribe = await start(changed([web.subscribeSocket, '/nowhere/subscribe.sock']));
    expectFinding(await doctor(stack.file, [noSubscribe]), 'subscribe-away', /esn-subscribe\.socket/, NGINX);
  });

  test('the web server may not open the sockets', async () => {
    const socket = await startHandler(programs.event, 'esn-event-closed', stack.file);
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
    const socket = await startHandler(programs.subscribe, 'esn-subscribe-other', secret);
    const mixed = await start(changed([web.subscribeSocket, socket]));
    expectFinding(await doctor(stack.file, [mixed]), 'ticket-secret', /\[ticket\] secret_file/, /esn-subscribe/);
  });

  test('a web server that says the admin token for everybody', async () => {
    const header = `proxy_set_header Authorization "Bearer ${stack.adminToken}";`;
    const url = await start(changed(['location /notify/ {\n', `location /notify/ {\n    ${header}\n`]));
    const finding = expectFinding(await doctor(stack.file, [url]), 'admin-open', /proxy_set_header Authorization/, NGINX);
    const [file, line] = finding.file.split(':');
    assert.equal(fs.readFileSync(file, 'utf8').split('\n')[line - 1].trim(), header);
  });

  test('what the token may not do, and a disk that is full', async () => {
    const narrow = confWith('narrow', { publish: { token_file: path.join(stack.folder, 'narrow.key'), publishers_file: path.join(stack.folder, 'narrow.publishers') } }, () => {
      stack.writeTokens('narrow.key', ['the secret of one that may not do much']);
      fs.writeFileSync(path.join(stack.folder, 'narrow.publishers'), '[narrow]\nsecret_file = narrow.key\ntopics = shop/#\n');
    });
    const socket = await startHandler(programs.event, 'narrow', fileWithout(narrow, 'token_file'));
    const url = await start(changed([stack.handlers[0].socket, socket]));
    expectFinding(await doctor(narrow, [url]), 'publish-failed', /journal/, /esn-event/);

    const disk = path.join(newFolder(), 'disk');
    const mount = `mount -t tmpfs -o size=1m none '${disk}' && exec "$@"`;
    fs.mkdirSync(disk);
    const full = await Stack.start('full', {
      handlers: 1,
      engine: 'zeromq', // Redis keeps the log
      config: { log: { path: path.join(disk, 'log') } },
      wrapper: [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--mount', 'sh', '-c', mount, 'sh'],
    });
    try {
      const e = { type: 'x', detail: 'x'.repeat(100_000) };
      await until('the disk is full', async () => (await full.post({ ep: ['a'], e })).status === 503);
      const away = await start(changed([`127.0.0.1:${stack.port}`, `127.0.0.1:${full.port}`], [stack.handlers[0].socket, full.handlers[0].socket]));
      const finding = expectFinding(await doctor(full.file, [away]), 'not-ready', /journal of esn-fanout/, /journalctl/);
      assert.match(finding.seen, /the log cannot be written to the disk/);
    } finally {
      await full.stop();
    }
  });

  test('what comes late', async () => {
    // A line on which what the daemon answers to an EventSource takes its time.
    const sockets = new Set();
    const line = net.createServer((from) => {
      const to = net.connect(stack.port, '127.0.0.1');
      let delay = 0;
      const later = (act) => (delay > 0 ? setTimeout(act, delay) : act());
      for (const socket of [from, to]) {
        sockets.add(socket);
        socket.on('error', () => {}); // each ends with the other
      }
      from.on('data', (bytes) => {
        delay = bytes.includes('GET /sse') ? 1200 : delay;
        to.write(bytes);
      });
      from.on('close', () => to.destroy());
      to.on('data', (bytes) => later(() => from.write(bytes)));
      to.on('close', () => later(() => from.destroy()));
    });
    const port = await freePort();
    await new Promise((resolve) => line.listen(port, '127.0.0.1', resolve));
    const url = await start(changed([`127.0.0.1:${stack.port}`, `127.0.0.1:${port}`]));
    const { findings, delays } = await examine(stack.file, ['--wait', '60', '--late', '1', url]);
    const late = findings.filter(({ name }) => name === 'buffered').map(({ seen }) => seen);
    assert.ok(late.some((seen) => /^Server-Sent Events: the first frame came after \d{4,} ms$/.test(seen)), late.join());
    assert.ok(late.some((seen) => /^Server-Sent Events: an event came after \d{4,} ms$/.test(seen)), late.join());
    assert.ok(delays.find(({ way }) => way === 'Server-Sent Events').event_ms >= 1000);
    sockets.forEach((socket) => socket.destroy());
    line.close();
  });

  test('no such name; a kernel with little room', async () => {
    // A network of its own, in which no name is known and the kernel's settings may be changed.
    const settings = 'echo 128 >/proc/sys/net/core/somaxconn; echo 30000 30999 >/proc/sys/net/ipv4/ip_local_port_range; exec "$@"';
    const wrapper = [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--net', 'sh', '-ec', settings, 'sh'];
    const { findings } = await examine(stack.file, ['http://shop.invalid/notify/'], wrapper);
    expectFinding(findings, 'dns', /name/, /DNS/);
    assert.match(expectFinding(findings, 'kernel-backlog', /^net\.core\.somaxconn = 4096$/, /sysctl\.d/).seen, /128/);
    assert.match(expectFinding(findings, 'kernel-ports', /^net\.ipv4\.ip_local_port_range/, /sysctl\.d/).seen, /1000 ports/);
  });

  test('keys that do not fit together', async () => {
    const [folder, other] = [newFolder(), newFolder()];
    for (const each of [folder, other]) {
      const { code, stderr } = await run([programs.esnctl, 'keygen', '--dir', each, 'bind']);
      assert.equal(code, 0, stderr);
    }
    const [bindPublic, busPublic, busSecret] = ['bind.pub', 'bus.pub', 'bus.key'].map((name) => path.join(folder, name));
    // As curve_keygen(1) makes them.
    fs.writeFileSync(busPublic, 'Gc-ox*dU+{613c@k1FpY4vwTOI(r)!eg<)m9)742\n');
    fs.writeFileSync(busSecret, 'ejigVq$QBN6F+yIF0<Fg:.]7@t-DOQ6jDq$OqCtX\n', { mode: 0o600 });
    const conf = confWith('keys', {
      bind_key: { private_key_file: path.join(folder, 'bind.key') },
      bus: { public_key_file: busPublic, secret_key_file: busSecret },
    });
    const faults = async () => (await run([programs.esnctl, 'check-config', '--config', conf])).stderr;
    assert.doesNotMatch(await faults(), /is not the public key/);
    fs.copyFileSync(path.join(other, 'bind.pub'), bindPublic);
    fs.writeFileSync(busPublic, 'zQx/8+VQvHkL5OH9#+C7Yf*sS*h$gid/^f9vN8zt\n');
    const findings = (await doctor(conf, [await start(site)])).filter(({ name }) => name === 'check-config');
    for (const file of [bindPublic, busPublic]) {
      assert.ok(findings.some((one) => one.file === file && /is not the public key of/.test(one.seen)), JSON.stringify(findings));
    }
  });

  test('a database that gives no right, has another collation, is away', async () => {
    const mariadb = await MariaDb.create(newFolder());
    try {
      const nobody = [`http://127.0.0.1:${await freePort()}/notify/`]; // it is this machine that is looked at
      const faults = async (conf) => (await doctor(conf, nobody)).filter(({ name }) => name === 'check-config').map(({ seen }) => seen).join();
      const conf = confWith('mariadb', { acl: mariadb.config });
      const { code, stderr } = await run([programs.esnctl, 'topic', 'create-tables'], { env: { ESN_CONF: conf } });
      assert.equal(code, 0, stderr);
      assert.equal(await faults(conf), '');
      await mariadb.sql('CREATE USER bare@localhost; GRANT CREATE ON notify.* TO bare@localhost');
      assert.match(await faults(confWith('bare', { acl: { ...mariadb.config, user: 'bare' } })), /SELECT command denied to user 'bare'/);
      await mariadb.sql('ALTER TABLE topic_followers MODIFY user_id VARCHAR(255) CHARACTER SET latin1 NOT NULL');
      assert.match(await faults(conf), /column user_id of topic_followers has the collation latin1\w+; it should be utf8mb4_nopad_bin/);
      await mariadb.stop();
      assert.match(await faults(conf), /connect/);
    } finally {
      await mariadb.stop();
    }
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
    const { delays } = await examine(stack.file, ['--ca', good.cert, await start(site, { tls: good })]);
    assert.ok(delays.find(({ way }) => way === 'Server-Sent Events over HTTP/2').event_ms >= 0);
    const old = await start(site, { tls: { ...good, speaks: '' } });
    const findings = await doctor(stack.file, ['--ca', good.cert, old]);
    expectFinding(findings, 'http2', /^listen 443 ssl http2;/, /nginx\.conf:\d+$/);
    assert.deepEqual(await doctor(stack.file, ['--ca', good.cert, '--ignore', 'http2', old]), []);
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
    await bad('--ignore', 'nothing of that name', 'http://shop.example/');
    const ended = await run([programs.esnctl, 'doctor', '--patience', '0', await start(changed(['gzip off;', '']))], { env: { ESN_CONF: stack.file } });
    assert.match(ended.stdout, /^compressed: .*\n {2}why: .*\n {2}change: gzip off;\n {2}in: \/.*nginx\.conf:\d+\n/m);
    assert.doesNotMatch(ended.stderr, /cannot be read/);
    const missing = path.join(newFolder(), 'nginx.conf');
    const blind = await run([programs.esnctl, 'doctor', '--web-config', missing, `http://127.0.0.1:${await freePort()}/`], { env: { ESN_CONF: stack.file } });
    assert.ok(blind.stderr.includes(`${missing}: cannot be read: the lines to change are named without place.`), blind.stderr);
  });
});

describe('doctor behind Apache', { concurrency: 4 }, () => {
  let web;
  const servers = [];
  before(async () => {
    web = await BehindWebServer.start('Apache with mod_fcgid');
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.end()));
    await web?.stop();
  });

  const adapted = (file) =>
    fs
      .readFileSync(path.join(source, 'deploy/apache', file), 'utf8')
      .replaceAll('127.0.0.1:8010', `127.0.0.1:${web.stack.port}`)
      .replaceAll('/run/es-web-notify/event.sock', web.stack.handlers[0].socket)
      .replaceAll('/run/es-web-notify/subscribe.sock', web.subscribeSocket)
      .replaceAll('/usr/local/libexec/esn-subscribe', programs.subscribe)
      .replaceAll('/etc/es-web-notify.conf', web.stack.file);

  async function start(name, directives, adapt) {
    const folder = path.join(web.stack.folder, name);
    fs.mkdirSync(folder);
    const port = await freePort();
    servers.push(await startApache(folder, port, directives, adapt));
    return `http://127.0.0.1:${port}/notify/`;
  }

  /** Apache's configuration with these lines changed: each is there. */
  const changed = (...changes) => (text) =>
    changes.reduce((whole, [from, to]) => {
      assert.match(whole, from);
      return whole.replace(from, to);
    }, text);

  test('a sound one', async () => {
    assert.deepEqual(await doctor(web.stack.file, ['--wait', '60', web.url]), []);
  });

  test('mod_deflate, and mod_proxy_fcgi that does not hand on', async () => {
    const deflate = await start('deflate', adapted('es-web-notify.conf').replaceAll('SetEnv no-gzip 1', '').replaceAll('SetEnv no-brotli 1', ''));
    expectFinding(await doctor(web.stack.file, [deflate]), 'compressed', /^SetEnv no-gzip 1$/, /apache\.conf:\d+$|site/);
    const local = await start('proxy-fcgi', adapted('es-web-notify-redirect.conf'));
    expectFinding(await doctor(web.stack.file, ['--wait', '5', local]), 'handoff', /mode = redirect/, /es-web-notify\.conf/);
  });

  test('few workers, and queries in its log', async () => {
    const url = await start('few', adapted('es-web-notify.conf'), changed([/^MaxRequestWorkers 512$/m, 'MaxRequestWorkers 128'], [/ env=!es-web-notify/, '']));
    const findings = await doctor(web.stack.file, [url]);
    expectFinding(findings, 'worker-connections', /^MaxRequestWorkers 8192$/, /apache\.conf:\d+$/);
    expectFinding(findings, 'logged-query', /^CustomLog \.\.\. env=!es-web-notify$/, /apache\.conf:\d+$/);
  });

  test('mod_fcgid with mutexes on which threads deadlock', async () => {
    const withMutex = async (name, lines) => {
      const text = lines.join('\n').replaceAll('FOLDER', path.join(web.stack.folder, name));
      const url = await start(name, adapted('es-web-notify.conf'), changed([/^(Mutex .*\n)?(?=ErrorLog)/m, `${text}\n`]));
      return doctor(web.stack.file, ['--wait', '60', url]);
    };
    for (const [name, ...lines] of [
      ['file', 'Mutex file:FOLDER'],
      ['fcntl', 'Mutex default', 'Mutex fcntl:FOLDER fcgid-proctbl fcgid-pipe'],
      ['later', 'Mutex pthread default', 'Mutex file:FOLDER default'],
    ]) {
      const finding = expectFinding(await withMutex(name, lines), 'mutex-file', /^Mutex default$/, /apache\.conf:\d+$/);
      assert.match(finding.seen, /^Mutex (file|fcntl):/);
    }
    assert.deepEqual(await withMutex('pthread', ['Mutex file:FOLDER default', 'Mutex pthread fcgid-proctbl fcgid-pipe']), []);
  });

  test('a sound one with HTTP/2', async () => {
    const { cert, key } = makeCertificate(web.stack.folder, 'apache', ['127.0.0.1'], { days: 90 });
    const modules = ['ssl', 'socache_shmcb', 'http2'].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join('');
    const site = `SSLEngine on\nSSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}\n`;
    const url = await start('http2', adapted('es-web-notify.conf'), changed([/^FcgidIPCDir/m, `${modules}$&`], [/^DocumentRoot/m, `${site}Protocols h2 http/1.1\n$&`]));
    const { findings, delays } = await examine(web.stack.file, ['--wait', '60', '--ca', cert, url.replace('http:', 'https:')]);
    assert.deepEqual(findings, []);
    assert.ok(delays.find(({ way }) => way === 'Server-Sent Events over HTTP/2').event_ms >= 0);
    const old = await start('http1', adapted('es-web-notify.conf'), changed([/^FcgidIPCDir/m, `${modules}$&`], [/^DocumentRoot/m, `${site}$&`]));
    expectFinding(await doctor(web.stack.file, ['--ca', cert, old.replace('http:', 'https:')]), 'http2', /^Protocols h2/, /apache\.conf:\d+$/);
  });
});
