'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program, run } = require('./lib/program');
const { Stack } = require('./lib/stack');

// esnctl.test.js shows that the commands do their work; this, that what they say can be relied on.
describe('what esnctl says', () => {
  let stack;
  let listened = 0;
  const running = [];
  before(async () => {
    stack = await Stack.start('oper', { handlers: 1, workers: 1 });
  });
  after(() => stack?.stop());
  beforeEach(() => stack.untilTotal(0));
  afterEach(() => Promise.all(running.splice(0).map((listener) => listener.end('SIGKILL'))));

  const esnctl = (words, options) => run([programs.esnctl, ...words], { env: { ESN_CONF: stack.file }, ...options });

  /** Ends with 0 and without a complaint; gives what it printed. */
  async function works(words, options) {
    const { code, stdout, stderr } = await esnctl(words, options);
    assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
    assert.equal(stderr, '');
    return stdout;
  }

  /** Ends with this code and complains like this, on standard error alone. */
  async function fails(code, pattern, ...words) {
    const result = await esnctl(words);
    assert.equal(result.code, code, `${words.join(' ')}: ${result.stdout}${result.stderr}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
  }

  function listenTo(file, ...words) {
    const log = path.join(path.dirname(file), `listen-${++listened}.log`);
    const listener = new Program('esnctl', [programs.esnctl, 'listen', '--config', file, ...words], { log });
    listener.lines = () => listener.output().split('\n').filter((line) => line.startsWith('{'));
    running.push(listener);
    return listener;
  }

  /** A listener whose stream is there; nothing may come before an event is emitted. */
  async function listen(...words) {
    const listener = listenTo(stack.file, ...words);
    await listener.until('the stream is there', () => /^esnctl: connected as \d+, for 3600 s$/m.test(listener.output()));
    listener.connid = /connected as (\d+)/.exec(listener.output())[1];
    return listener;
  }

  test('any JSON comes out as it went in, in one line of ASCII', async () => {
    const details = new Map([
      ['null', 'null'],
      ['[1, 2.50, 1e400, 12345678901234567890]', '[1,2.50,1e400,12345678901234567890]'],
      [`{"a":\n"it's ''9'' é \u2028"}`, '{"a":"it\\u0027s \\u0027\\u00279\\u0027\\u0027 \\u00e9 \\u2028"}'],
      ['"\\u0000\\ud800"', '"\\u0000\\ud800"'],
      [JSON.stringify('x'.repeat(200_000)), JSON.stringify('x'.repeat(200_000))],
    ]);
    const listener = await listen('--count', String(details.size), 'a');
    for (const detail of details.keys()) {
      assert.match(await works(['emit', 'a', 't', '-'], { input: detail }), /^sent to 1 stream, id \d+-\d+\n$/);
    }
    assert.equal(await listener.ended, 0);
    const events = listener.lines().map((line) => line.slice(line.indexOf('"e":')));
    assert.deepEqual(events, [...details.values()].map((detail) => `"e":{"type":"t","detail":${detail}}}`));
  });

  test('a stream can be held through the web server, events sent with each way to give the token', async () => {
    const url = `${stack.webUrl}/notify/`;
    const listener = await listen('--count', '3', '--url', url, 'a');
    await works(['emit', '--url', url, 'a', 'one']);
    await works(['emit', '--url', `${stack.eventUrl}?token=${stack.publishToken}`, 'a', 'two']);
    await works(['emit', '--url', stack.eventUrl, '--token', stack.publishToken, 'a', 'three']);
    assert.equal(await listener.ended, 0);
    assert.deepEqual(listener.lines().map((line) => JSON.parse(line).e.type), ['one', 'two', 'three']);
  });

  test('the connection id it names can be whispered to; an id is that of its publisher', async () => {
    const listener = await listen('--count', '2', 'a');
    await listen('a');
    assert.match(await works(['emit', '--whisper', listener.connid, 'a', 'psst']), /^sent to 1 stream,/);
    const sent = JSON.parse(await works(['emit', '--json', '--id', 'x', 'a', 'once']));
    assert.equal(sent.receivers, 2);
    assert.equal(await listener.ended, 0);
    assert.deepEqual(JSON.parse(await works(['emit', '--json', '--id', 'x', 'a', 'once'])), { ...sent, double: true });
    assert.match(await works(['emit', '--id', 'x', 'a', 'once']), /^the daemon had it before; it was sent to 2 streams, id/);
    const post = ['emit', '--json', '--id', 'x', '--url', stack.eventUrl, 'a', 'once'];
    const posted = JSON.parse(await works(post));
    assert.notEqual(posted.id, sent.id, 'who posts with a token is another publisher than the operator on the bus');
    assert.equal(JSON.parse(await works(post)).id, posted.id);
  });

  test('listen shows the daemon’s own messages and the bytes of the stream when asked', async () => {
    const all = await esnctl(['listen', '--all', '--count', '2', '--clid', 'ana', '@CONNECTION@/ana']);
    assert.equal(all.code, 0, all.stderr);
    const [connected, available] = all.stdout.trim().split('\n').map((line) => JSON.parse(line).e);
    assert.equal(connected.type, 'connected');
    assert.equal(available.type, 'available');
    assert.match(all.stderr, new RegExp(`connected as ${connected.detail.connid},`));

    await stack.untilTotal(0);
    const raw = await listen('--raw', '--count', '1', 'a');
    await works(['emit', 'a', 'one', `"'"`]);
    assert.equal(await raw.ended, 0);
    assert.match(raw.output(), /''\d+''\{"iat":[^]*''\d+''\{"iat":[^]*"e":\{"type":"one","detail":"\\u0027"\}\}$/);
  });

  test('listen says how its stream ended', async () => {
    const own = await Stack.start('oper-end', { config: { fanout: { stream_time: '1s' } } });
    try {
      const ended = await run([programs.esnctl, 'listen', '--config', own.file, 'a']);
      assert.equal(ended.code, 0);
      assert.match(ended.stderr, /the stream has ended; listen again to go on/);
      const short = await run([programs.esnctl, 'listen', '--config', own.file, '--count', '2', 'a']);
      assert.equal(short.code, 1);
      assert.match(short.stderr, /0 of 2 events came/);

      await own.daemon.end();
      own.writeConfig({ fanout: { stream_time: '1h' } });
      await own.startDaemon();
      const cut = listenTo(own.file, 'a');
      await cut.until('the stream is there', () => cut.output().includes('connected as'));
      await own.daemon.end('SIGKILL');
      assert.equal(await cut.ended, 1);
      assert.match(cut.output(), /the stream was cut: /);
      const refused = await run([programs.esnctl, 'listen', '--config', own.file, 'a']);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /Connection refused/);
    } finally {
      await own.stop();
    }
  });

  test('connections is aligned, the busiest first, and a client id cannot command the terminal', async () => {
    const one = await listen('--clid', 'one', 'a');
    await listen('--clid', 'two', 'a');
    await listen('--clid', 'two', 'b/+');
    await listen('--clid', 'e\u001b[31m\u009b', 'a');
    assert.equal(
      await works(['connections']),
      [
        'CLIENT ID      STREAMS',
        'two                  2',
        'e\\x1b[31m\\x9b        1',
        'one                  1',
        '4 in all',
        '',
      ].join('\n'),
    );
    assert.equal(await works(['connections', '--clid', 'two']), '2\n');
    assert.equal(await works(['connections', '--clid', 'none']), '0\n');
    const details = await works(['connections', '--clid', 'one', '--details']);
    assert.match(details, new RegExp(`^connection ${one.connid}\n`));
    assert.match(details, /^headers\.user-agent +esnctl\//m);
    assert.match(details, /^body\.clid +one$/m);
    assert.match(details, /^body\.ep\.0 +a$/m);
    assert.match(await works(['connections', '--details']), /^body\.clid +e\\x1b\[31m\\x9b$/m);
  });

  test('the daemon is found on a unix socket too', async () => {
    const file = path.join(stack.folder, 'unix.conf');
    const text = fs.readFileSync(stack.file, 'utf8').replace(/^listen = .*$/m, `listen = unix:${stack.socketPath}`);
    fs.writeFileSync(file, text);
    assert.match(await works(['state', '--config', file]), /^connections +0$/m);
    fs.writeFileSync(file, text.replace(`unix:${stack.socketPath}`, 'unix:/nowhere'));
    await fails(1, /^esnctl: \/nowhere: No such file or directory\n$/, 'state', '--config', file);
  });

  test('what fails says why', async () => {
    stack.writeTokens('wrong.token', ['wrong']);
    stack.writeTokens('open.token', ['x']);
    stack.writeTokens('empty.token', ['# none']);
    const token = (name) => ['--token-file', path.join(stack.folder, name)];
    fs.chmodSync(token('open.token')[1], 0o644);
    const port = await freePort();
    await fails(1, /401: the daemon wants the admin token/, 'state', ...token('wrong.token'));
    await fails(1, /mode 0644 lets everybody at a secret/, 'state', ...token('open.token'));
    await fails(1, /empty\.token: holds no token/, 'state', ...token('empty.token'));
    await fails(1, /404: the token is missing or wrong/, 'emit', '--url', stack.eventUrl, ...token('wrong.token'), 'a', 'b');
    await fails(1, /Connection refused/, 'connections', '--url', `http://127.0.0.1:${port}/`);
    await fails(1, /should begin with http/, 'state', '--url', 'ftp://localhost/');
    await fails(1, /refused, 400: /, 'listen', '');
    await fails(1, /No such file/, 'state', '--config', path.join(stack.folder, 'none.conf'));
    for (const way of [[], ['--url', stack.eventUrl]]) {
      await fails(1, /Reserved topic/, 'emit', ...way, '@SERVER@/x', 'b');
      await fails(1, /Topic is empty/, 'emit', ...way, '', 'b');
    }
  });

  test('without a daemon emit names the socket that is not there', async () => {
    const file = path.join(stack.folder, 'nobody.conf');
    fs.writeFileSync(file, '[publish]\ntime_limit = 50ms\n[bus]\nevents = ipc:///nowhere/e\nacks = ipc:///nowhere/a\n');
    const why = /\/nowhere\/e: No such file[^]*no daemon took it within 50 ms/;
    await fails(1, why, 'emit', '--config', file, 'a', 'b');
  });

  test('wrong calls end with 2 and point to the help', async () => {
    for (const words of [
      [],
      ['nothing'],
      ['emit', 'a'],
      ['emit', 'a', 'b', '1', '2'],
      ['emit', 'a', 'b', 'text'],
      ['emit', '--whisper', '-1', 'a', 'b'],
      ['emit', '--whisper', '9007199254740992', 'a', 'b'],
      ['emit', '--bogus', 'a', 'b'],
      ['emit', '--token', 't', 'a', 'b'],
      ['listen'],
      ['listen', '--count', '0', 'a'],
      ['connections', 'x'],
      ['state', '--clid', 'a'],
      ['check-config', '--print', 'poem'],
    ]) {
      await fails(2, /Try: esnctl( [a-z-]+)? --help\n$/, ...words);
    }
  });

  test('every command teaches itself', async () => {
    const help = await works(['--help']);
    for (const command of ['emit', 'listen', 'connections', 'state', 'check-config']) {
      assert.match(help, new RegExp(`^  ${command} `, 'm'));
      const own = await works([command, '--help']);
      assert.match(own, new RegExp(`^Usage: esnctl ${command} `));
      assert.match(own, /^Examples:$/m);
      assert.equal(await works(['help', command]), own);
    }
    assert.match(await works(['--version']), /^esnctl \(es-web-notify\) \d+\.\d+\.\d+\n$/);
  });

  test('check-config reads what the configuration names', async () => {
    assert.equal(await works(['check-config']), `${stack.file}: good for the user ${os.userInfo().username}\n`);
    const file = path.join(stack.folder, 'bad.conf');
    fs.writeFileSync(file, '[fanout]\nlisen = a:1\nmax_body = 0\n');
    const faults = new RegExp(
      `^${file}:2: unknown key "lisen" in \\[fanout\\]; did you mean listen\\?\n${file}:3: max_body: 0 is out of bounds`,
    );
    await fails(1, faults, 'check-config', '--config', file);
    fs.writeFileSync(file, '[admin]\ntoken_file = none\n[bus]\npublic_key_file = key\n');
    fs.writeFileSync(path.join(stack.folder, 'key'), 'short\n');
    await fails(1, /none: No such file[^]*key: should hold a key of 40 characters/, 'check-config', '--config', file);
  });
});
