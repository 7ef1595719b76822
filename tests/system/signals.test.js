'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { programs } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Program, run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

describe('a handler on a socket that whoever started it listens at', () => {
  /** Whether it is there (and no more what it was forked from), catches SIGHUP and waits, from /proc. */
  const waits = (program) => {
    if (path.basename(fs.readlinkSync(`/proc/${program.pid}/exe`)) !== 'esn-event') {
      return false;
    }
    const status = fs.readFileSync(`/proc/${program.pid}/status`, 'utf8');
    const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)[1]}`);
    return /^State:\s*S/m.test(status) && ((caught >> BigInt(os.constants.signals.SIGHUP - 1)) & 1n) === 1n;
  };

  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`reads its configuration again at SIGHUP, and ends with 0 at ${signal}`, async () => {
      const stack = await Stack.start('inherited');
      const server = net.createServer();
      await new Promise((resolve) => server.listen(path.join(stack.folder, 'inherited.sock'), resolve));
      const log = path.join(stack.folder, 'inherited.log');
      const handler = new Program('inherited', [programs.event, '--config', stack.file], { log, stdin: server._handle.fd });
      try {
        await handler.until('it waits', () => waits(handler));
        handler.signal('SIGHUP');
        await handler.until('it has read it again', () => /configuration read again/.test(handler.output()));
        assert.equal(await handler.end(signal), 0);
      } finally {
        await handler.end('SIGKILL');
        server.close();
        await stack.stop();
      }
    });
  }
});

describe('SIGTERM', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} ends every stream with its last chunk, and the daemon with 0`, async () => {
      const stack = await Stack.start('term');
      const clients = await Promise.all(Array.from({ length: 50 }, () => stack.subscribe(['a'])));
      const idle = await stack.get('/healthz');
      assert.equal(idle.status, 200);
      stack.daemon.signal(signal);
      await Promise.all(clients.map((client) => client.ended()));
      assert.equal(clients.every((client) => client.endedCleanly), true);
      assert.equal(await stack.daemon.ended, 0);
      await stack.stop();
    });
  }

  test('a client that does not read cannot keep the daemon', async () => {
    const stack = await Stack.start('stuck', { handlers: 1, config: { fanout: { max_pending: '64M', max_pending_soft: '64M' } } });
    const client = await stack.subscribe(['a']);
    client.pause();
    for (let i = 0; i < 20; i++) {
      await stack.publish('a', 'big', 'x'.repeat(900_000));
    }
    assert.equal(await stack.daemon.end(), 0);
    await client.close();
    await stack.stop();
  });

  test('events that were acknowledged are delivered before the end', async () => {
    const stack = await Stack.start('last', { handlers: 1 });
    const clients = await Promise.all(Array.from({ length: 20 }, () => stack.subscribe(['a'])));
    for (let i = 0; i < 50; i++) {
      await stack.publish('a', 'n', i);
    }
    stack.daemon.signal('SIGTERM');
    for (const client of clients) {
      await client.ended();
      assert.equal(client.events().length, 50);
    }
    assert.equal(await stack.daemon.ended, 0);
    await stack.stop();
  });

  test('every stream is told when to come back, and they end one after the other', async () => {
    const stack = await Stack.start('spread', { config: { fanout: { stop_time: '20s', stop_spread: '3s', retry_time: '7s' } } });
    const clients = await Promise.all(Array.from({ length: 50 }, () => stack.subscribe(['a'])));
    stack.daemon.signal('SIGTERM');
    await Promise.all(clients.map((client) => client.ended()));
    assert.equal(await stack.daemon.ended, 0);
    const last = clients.map((client) => client.frames.at(-1).json);
    for (const [i, frame] of last.entries()) {
      assert.equal(clients[i].endedCleanly, true);
      assert.deepEqual(frame.ep, { requested: '@SERVER@', emitted: '@SERVER@' });
      assert.equal(frame.e.type, 'stopping');
      assert.ok(Number.isInteger(frame.e.detail.retry) && frame.e.detail.retry >= 0 && frame.e.detail.retry <= 7000);
      assert.equal(frame.id, clients[i].frames[0].json.id, 'its id is the newest one that the client may resume from');
    }
    assert.ok(new Set(last.map((frame) => frame.e.detail.retry)).size > 40);
    const ends = last.map((frame) => frame.iat).sort((a, b) => a - b);
    assert.ok(ends.at(-1) - ends[0] > 1500, `they end within ${ends.at(-1) - ends[0]} ms, not over 3 s`);
    assert.ok(new Set(ends).size > 10, `at ${new Set(ends).size} different times`);
    await stack.stop();
  });

  test('a post that comes while the daemon stops goes to the next one', async () => {
    const stack = await Stack.start('next', {
      handlers: 1,
      config: { fanout: { stop_time: '10s', stop_spread: '3s' }, publish: { time_limit: '30s' } },
    });
    const client = await stack.subscribe(['a']);
    const before = await stack.publish('a', 'first');
    await client.takeUntil('first');
    stack.daemon.signal('SIGTERM');
    await until('it stops', async () => stack.daemon.output().includes('stopping'));
    const post = stack.publish('a', 'second');
    await client.ended();
    assert.equal(await stack.daemon.ended, 0);
    assert.deepEqual(client.events(), []);
    await stack.startDaemon();
    const epoch = ({ id }) => Number(id.split('-')[0]);
    if (stack.engine.takesAlone) {
      const back = await stack.subscribe({ ep: ['a'], last_id: before.id });
      assert.equal((await back.takeUntil('second')).at(-1).json.id, (await post).id);
      await back.close();
    } else {
      assert.ok(epoch(await post) > epoch(before));
    }
    await stack.stop();
  });

  test('the sockets are gone afterwards, or taken over by the next daemon', async () => {
    const stack = await Stack.start('again', { handlers: 1 });
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      await stack.daemon.end(signal);
      await stack.startDaemon();
      const client = await stack.subscribe(['a']);
      await until('a post succeeds', async () => (await stack.post({ ep: ['a'], e: { type: 'x' } })).status === 200);
      await client.takeUntil('x');
      await client.close();
    }
    await stack.stop();
  });
});

describe('SIGHUP', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('hup', { handlers: 1, config: { messages: { level: 'info' } } });
  });
  after(() => stack?.stop());

  function admin(token) {
    return stack.get('/state', { headers: { Authorization: `Bearer ${token}` } });
  }

  test('the daemon takes new tokens and limits, and names what needs a restart', async () => {
    const client = await stack.subscribe(['a']);
    assert.equal((await admin('new-admin')).status, 401);
    stack.writeTokens('admin.token', ['new-admin']);
    stack.writeConfig({ fanout: { max_topics: 2, listen: `127.0.0.1:${await freePort()}` }, bus: { remember_events: 1000 } });
    stack.daemon.signal('SIGHUP');
    await until('the new token is good', async () => (await admin('new-admin')).status === 200);
    assert.equal((await admin(stack.adminToken)).status, 401, 'the old one is not');
    const refused = await stack.get('/', { method: 'POST', body: '{"ep":["a","b","c"]}' });
    assert.equal(refused.status, 400);
    await stack.daemon.untilLog(/needs a restart.* key=listen/);
    await stack.daemon.untilLog(/needs a restart.* key=remember_events/);
    assert.equal(client.isOver, false, 'streams go on');
    assert.equal((await stack.get('/healthz')).status, 200, 'it listens where it did');
    stack.adminToken = 'new-admin';
    await client.close();
  });

  test('the log level changes', async () => {
    const debugLines = () => stack.daemon.output().match(/\bdebug\b/g)?.length ?? 0;
    const before = debugLines();
    stack.writeConfig({ messages: { level: 'debug' } });
    stack.daemon.signal('SIGHUP');
    await until('the daemon says more', async () => {
      await (await stack.subscribe(['a'])).close();
      return debugLines() > before;
    });
  });

  test('a file with a fault changes nothing, and the log says where the fault is', async () => {
    const good = fs.readFileSync(stack.file, 'utf8');
    fs.writeFileSync(stack.file, `${good}\n[fanout]\nkeep_alive = soon\n`);
    const line = good.split('\n').length + 2;
    stack.daemon.signal('SIGHUP');
    await stack.daemon.untilLog(new RegExp(`es-web-notify\\.conf:${line}`));
    assert.equal((await admin(stack.adminToken)).status, 200);
    stack.handlers[0].signal('SIGHUP');
    await stack.handlers[0].untilLog(new RegExp(`es-web-notify\\.conf:${line}`));
    await stack.publish('a', 'x');
    fs.writeFileSync(stack.file, good);
  });

  test('the handlers take new tokens without a lost post', async () => {
    const [handler] = stack.handlers;
    const { pid } = handler;
    stack.writeTokens('publish.token', [stack.publishToken, 'fresh']);
    handler.signal('SIGHUP');
    await until('the fresh token is good', async () => {
      await stack.publish('a', 'x');
      return (await stack.post({ ep: ['a'], e: { type: 'x' } }, { token: 'fresh' })).status === 200;
    });
    stack.writeTokens('publish.token', ['fresh']);
    handler.signal('SIGHUP');
    await until('the old token is refused by every worker', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => stack.post({ ep: ['a'], e: { type: 'x' } }, { agent: false })),
      );
      return answers.every((answer) => answer.status === 404);
    });
    stack.publishToken = 'fresh';
    await stack.publish('a', 'x');
    assert.equal(handler.pid, pid);
    assert.equal(handler.isRunning, true);
  });
});

describe('what cannot be started says why', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('start', { engine: 'zeromq' });
  });
  after(() => stack?.stop());

  /** Starts a program with a configuration of its own; gives its end. */
  function start(program, text, ...words) {
    const file = path.join(stack.folder, 'other.conf');
    fs.writeFileSync(file, text);
    return run([program, ...words, '--config', file]);
  }

  const bus = () => `[bus]\nevents = ipc://${stack.folder}/e2\nacks = ipc://${stack.folder}/a2\n`;

  test('a second daemon on the same port', async () => {
    const second = await start(programs.fanout, `[fanout]\nlisten = 127.0.0.1:${stack.port}\n${bus()}`);
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, new RegExp(`127\\.0\\.0\\.1:${stack.port}`));
    assert.match(second.stderr, /in use/i);
    assert.equal((await stack.get('/healthz')).status, 200);
  });

  test('a second daemon on the same unix sockets takes nothing from the first', async () => {
    const port = await freePort();
    for (const text of [
      `[fanout]\nlisten = unix:${stack.socketPath}\n${bus()}`,
      `[fanout]\nlisten = 127.0.0.1:${port}\n[bus]\nevents = ipc://${stack.folder}/events\nacks = ipc://${stack.folder}/acks\n`,
    ]) {
      const second = await start(programs.fanout, text);
      assert.notEqual(second.code, 0, text);
      assert.ok(second.stderr.includes(stack.folder), second.stderr);
    }
    await stack.look('/connections'); // over the unix socket
  });

  const faults = {
    'a key that does not exist': ['[fanout]\nlisten = 127.0.0.1:1\nkeep_alife = 5s\n', 3, /keep_alife/],
    'a section that does not exist': ['[fanout]\n\n[fan]\nlisten = x\n', 3, /\[fan\]/],
    'a number that is none': ['[fanout]\nmax_topics = many\n', 2, /max_topics/],
    'a number out of bounds': ['[fanout]\nmax_topics = 0\n', 2, /max_topics/],
    'a duration without a unit': ['[fanout]\nstream_time = soon\n', 2, /stream_time/],
    'a size that is none': ['[fanout]\nmax_body = 5 elephants\n', 2, /max_body/],
    'a choice that is none': ['[messages]\nlevel = loud\n', 2, /level/],
    'a line that is none': ['[messages]\nlevel = info\nnonsense\n', 3, /key = value/],
  };
  for (const [what, [text, line, words]] of Object.entries(faults)) {
    test(what, async () => {
      for (const [program, ...options] of [
        [programs.fanout],
        [programs.event, '--listen', `unix:${stack.folder}/x.sock`, '--workers', '1'],
        [programs.esnctl, 'check-config'],
      ]) {
        const end = await start(program, text, ...options);
        assert.notEqual(end.code, 0, program);
        const output = end.stderr + end.stdout;
        assert.match(output, new RegExp(`other\\.conf:${line}\\b`), `${program}: ${output}`);
        assert.match(output, words);
      }
    });
  }

  test('several faults are all named', async () => {
    const end = await start(programs.esnctl, '[fanout]\nmax_topics = x\nnope = 1\n[messages]\nlevel = loud\n', 'check-config');
    const output = end.stderr + end.stdout;
    for (const line of [2, 3, 5]) {
      assert.match(output, new RegExp(`other\\.conf:${line}\\b`), output);
    }
  });

  test('a file that is not there', async () => {
    const listen = ['--listen', `unix:${stack.folder}/x.sock`];
    for (const [program, ...options] of [[programs.fanout], [programs.event, ...listen], [programs.esnctl, 'state']]) {
      const end = await run([program, ...options, '--config', `${stack.folder}/missing.conf`]);
      assert.notEqual(end.code, 0);
      assert.match(end.stderr + end.stdout, /missing\.conf/);
    }
  });

  test('a token file that others can read', async () => {
    const file = path.join(stack.folder, 'open.token');
    fs.writeFileSync(file, 'secret-in-the-open\n', { mode: 0o644 });
    fs.chmodSync(file, 0o644);
    const port = await freePort();
    for (const [program, text, ...words] of [
      [programs.fanout, `[fanout]\nlisten = 127.0.0.1:${port}\n${bus()}[admin]\ntoken_file = ${file}\n`],
      [
        programs.event,
        `${bus()}[publish]\ntoken_file = ${file}\n`,
        '--listen',
        `unix:${stack.folder}/x.sock`,
        '--workers',
        '1',
      ],
    ]) {
      const end = await start(program, text, ...words);
      assert.notEqual(end.code, 0);
      assert.match(end.stderr, /open\.token/);
      assert.equal(end.stderr.includes('secret-in-the-open'), false);
    }
  });

  test('tcp beyond loopback without keys', async () => {
    const end = await start(programs.fanout, '[bus]\nevents = tcp://192.0.2.77:9000\nacks = tcp://192.0.2.77:9001\n');
    assert.notEqual(end.code, 0);
    assert.match(end.stderr, /public_key_file|CURVE|key/);
  });

  test('a number of workers that is none', async () => {
    for (const program of [programs.event, programs.subscribe]) {
      for (const count of ['', '0', '-1', '+2', ' 2', '2 ', '1x', ':2', '1001', '99999999999999999999']) {
        const wrong = await run([program, '--workers', count, '--version']);
        assert.equal(wrong.code, 2, `${program} ${count}`);
        assert.match(wrong.stderr, /--workers should be a number from 1 to 1000\nSee esn-\w+ --help\n$/);
      }
      for (const count of ['1', '1000']) {
        assert.equal((await run([program, '--workers', count, '--version'])).code, 0, count);
      }
    }
  });

  test('options that do not exist; --help and --version', async () => {
    for (const program of Object.values(programs)) {
      const wrong = await run([program, '--no-such-option']);
      assert.notEqual(wrong.code, 0, program);
      assert.match(wrong.stderr, /no-such-option/);
      const help = await run([program, '--help']);
      assert.equal(help.code, 0);
      assert.match(help.stdout, /--config/);
      const version = await run([program, '--version']);
      assert.equal(version.code, 0);
      assert.match(version.stdout, /\d+\.\d+\.\d+/);
    }
  });
});
