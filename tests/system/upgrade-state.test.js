'use strict';

// What the new program knows of what the old one knew, and what becomes of who cannot be handed over.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { request } = require('./lib/http');
const { programs, source } = require('./lib/paths');
const { childrenOf, run } = require('./lib/program');
const { RawConnection, requestText } = require('./lib/raw');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { until } = require('./lib/wait');
const { Upgradable, isRunning } = require('./lib/upgrades');

const SECRET = 'the secret of the tickets of these tests';
const BURST = 100;
const PAST = 8;
const BIG = 'x'.repeat(400_000);

after(() => RawConnection.destroyAll());

const lines = (stack, pattern) => stack.daemon.output().split('\n').filter((line) => pattern.test(line));
const untilLine = (stack, pattern) => until(`the log has ${pattern}`, () => lines(stack, pattern).at(-1));

/** What is signed in the same millisecond as an order counts as before it. */
const nextMillisecond = () => until('the clock goes on', ((now) => () => Date.now() > now)(Date.now()));

function start(label, config = {}, options = {}) {
  return Upgradable.start(label, {
    handlers: 1,
    ...options,
    config: { ...config, ticket: { secret_file: 'ticket.secret' } },
    prepare: (stack) => stack.writeTokens('ticket.secret', [SECRET]),
  });
}

test('docs/upgrade.md has the form of the state, and each section with the files that write and read it', () => {
  const text = (...names) => fs.readFileSync(path.join(source, ...names), 'utf8');
  const [, document] = text('docs/upgrade.md').split("## The state's form\n");
  const [, form] = /SAVED_FORM = (\d+)/.exec(text('common/saved_state.h'));
  assert.ok(document.includes(`the form (${form})`), form);

  const [, order] = /^enum saved_section \{\n(.*?)    SAVED_SECTIONS\n/ms.exec(text('common/saved_state.h'));
  const names = new Map([...text('common/saved_state.c').matchAll(/\[(SAVED_\w+)\] = "([^"]+)"/g)].map(([, constant, name]) => [constant, name]));
  const [, table] = document.split('| section |');
  const rows = table.slice(0, table.indexOf('\n\n')).split('\n').slice(2).map((line) => line.split(' | '));
  const cited = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);
  assert.deepEqual(rows.flatMap(([sections]) => cited(sections)), order.match(/SAVED_\w+/g).map((constant) => names.get(constant)));

  const files = rows.flatMap(([, what]) => {
    const [first, ...more] = cited(what).filter((word) => word.endsWith('.c'));
    return [first, ...more.map((file) => (file.includes('/') ? file : path.join(path.dirname(first), file)))];
  });
  assert.ok(files.length >= rows.length);
  assert.deepEqual(files.filter((file) => ![file, `fanout/${file}`].some((name) => fs.existsSync(path.join(source, name)))), []);
});

describe('what the old program knew', () => {
  let stack;
  before(async () => {
    stack = await start('up-state', { publish: { rate: 1, burst: BURST } });
  });
  after(() => stack?.stop());

  const proof = (more) => ticket(claims({ uid: 'ana', ...more }), { secret: SECRET });
  const comeWith = (text) => stack.get(`/poll?wait=0&ticket=${text}`, { agent: false });
  const drop = async (body) => {
    const answer = await stack.post(body, { url: stack.eventUrl.replace(/event$/, 'drop') });
    assert.equal(answer.status, 200, answer.text);
    await nextMillisecond();
  };

  test('a ticket that was used is not good again, one that was not is', async () => {
    const [used, unused] = [proof(), proof()];
    assert.equal((await comeWith(used)).status, 200);
    await stack.upgrade();
    const again = await comeWith(used);
    assert.deepEqual([again.status, again.reason], [400, 'Invalid ticket']);
    assert.equal((await comeWith(unused)).status, 200);
  });

  test('a user and a session that were dropped come back with a newer proof alone', async () => {
    const olds = [proof({ uid: 'eva' }), proof({ uid: 'leo', sid: 'work' })];
    await drop({ uid: 'eva' });
    await drop({ sid: 'work' });
    await stack.upgrade();
    for (const old of olds) {
      assert.match((await comeWith(old)).json.error, /^Dropped since/);
    }
    assert.equal((await comeWith(proof({ uid: 'eva' }))).status, 200);
  });

  test('with room for fewer drops than there are the upgrade succeeds, and the log says what that means', async () => {
    for (let i = 0; i < 3; i++) {
      await drop({ uid: `dropped-${i}` });
    }
    stack.writeConfig({ fanout: { max_revocations: 2 } });
    await stack.upgrade();
    await untilLine(stack, /error esn-fanout: "?there is no room for drops of before: proofs of before count again"? drops=\d+$/);
    stack.writeConfig();
    await stack.upgrade();
  });

  test('what a token has published counts on', async () => {
    const ep = Array.from({ length: 2 * BURST }, (_, i) => `many/${i}`);
    const began = Date.now();
    let sent = 0;
    // 503 says that an event was given twice, for the daemon had just been upgraded, and was limited the second time.
    const postTooMuch = async () => {
      const answer = await stack.post({ ep, e: { type: 'x' } });
      assert.ok([429, 503].includes(answer.status), answer.text.slice(0, 200));
      sent += answer.json.ep.filter(({ result }) => result === 'sent').length;
      return answer.status === 429;
    };
    await until('it has published what it may', postTooMuch);
    await stack.upgrade();
    await until('it may not publish more', postTooMuch);
    assert.ok(sent <= BURST + (Date.now() - began) / 1000 + 1, `${sent} sent`); // a new program would take a whole burst
  });

  test('esnctl explain tells who came later than an event, and who had it', async () => {
    const early = await stack.subscribe({ ep: ['explained'], clid: 'early' });
    const { json } = await until('the token may publish again', async () => {
      const answer = await stack.post({ ep: ['explained'], e: { type: 'x' } });
      return answer.status === 200 && answer;
    });
    const late = await stack.subscribe({ ep: ['explained'], clid: 'late' });
    await stack.upgrade();
    const causeOf = async (clid) => {
      const { code, stdout, stderr } = await run([programs.esnctl, 'explain', '--config', stack.file, '--json', json.id, '--clid', clid]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout).streams[0].cause;
    };
    assert.equal(await causeOf('late'), 'came-later');
    assert.notEqual(await causeOf('early'), 'came-later');
    await Promise.all([early.close(), late.close()]);
  });

  test('a stream ends when the proof of its user does', async () => {
    const text = proof({ until: Math.ceil(Date.now() / 1000) + 2 });
    const stream = await Subscriber.open(`${stack.url}/?ticket=${text}`);
    await stack.upgrade();
    await stream.takeUntil('expired');
    await stream.ended();
  });

  test('the access log says of no stream that it ended while it goes on', async () => {
    const stream = await stack.subscribe({ ep: ['logged'], clid: 'logged' });
    const ended = /: "?stream ended"? .*client=logged /;
    await stack.upgrade();
    assert.deepEqual(lines(stack, ended), []);
    await stream.close();
    assert.match(await untilLine(stack, ended), /reason=(client|reset)$/);
    assert.equal(lines(stack, ended).length, 1);
  });
});

describe('streams that are released (SIGUSR1) before an upgrade', () => {
  test('are told to come back all the same', async () => {
    const stack = await start('up-released', { fanout: { stop_spread: '1s' } });
    const streams = await Promise.all(Array.from({ length: 10 }, () => stack.subscribe(['a'])));
    stack.daemon.signal('SIGUSR1');
    await untilLine(stack, /streams are released/);
    await stack.upgrade();
    for (const stream of streams) {
      await stream.ended();
      assert.equal(stream.frames.at(-1).json.e.type, 'stopping');
    }
    await stack.stop();
  });
});

/** Asks for the topic's past, and reads no more of it than the system takes. */
async function catchUpSlowly(stack, topic) {
  const raw = await RawConnection.open(stack.port);
  raw.pause();
  await raw.write(requestText('POST', '/', { body: JSON.stringify({ ep: [topic], last_id: '0-0' }) }));
  await until('it catches up', async () => (await stack.look('/state')).catching_up > 0);
  return raw;
}

describe('who cannot be handed over', () => {
  let stack;
  beforeEach(async () => {
    stack = await start('up-stays', { fanout: { stop_time: '5m', stop_spread: '0ms', send_buffer: '16k' } });
    for (let i = 0; i < PAST; i++) {
      await stack.publish('past', `past-${i}`, BIG);
    }
  });
  afterEach(() => stack?.stop());

  test('a request with a body in chunks that is half read is answered 503, to be sent again', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ep"');
    await stack.get('/healthz'); // it was read before
    const { hasEnded } = await stack.handOver();
    await raw.write('\r\n7\r\n:["a"]}\r\n0\r\n\r\n');
    const head = await raw.head();
    assert.equal(head.status, 503);
    assert.equal(head.headers['retry-after'], '1');
    await raw.closed();
    await hasEnded;
  });

  test('an answer that is being written is written to its end, and then its connection is closed', async () => {
    const raw = await RawConnection.open(stack.port);
    raw.pause();
    await raw.write(requestText('POST', '/poll', { body: JSON.stringify({ ep: ['past'], last_id: '0-0', wait: 0 }) }));
    await stack.get('/healthz'); // it was read before
    const { hasEnded } = await stack.handOver();
    raw.resume();
    const { status, text } = await raw.answer();
    assert.equal(status, 200);
    assert.ok(text.includes(BIG));
    await raw.closed();
    assert.equal(raw.error, undefined);
    await hasEnded;
  });

  test('a stream that catches up is told to come back from where it is', async () => {
    const raw = await catchUpSlowly(stack, 'past');
    const { hasEnded } = await stack.handOver();
    raw.resume();
    await raw.head();
    const { text } = await raw.chunks((all) => all.includes('"stopping"'));
    const sent = [...text.matchAll(/"type":"past-(\d+)"/g)].map(([, number]) => Number(number));
    assert.deepEqual(sent, sent.map((_, i) => i), 'one after the other, from the first');
    const id = [...text.matchAll(/"id":"([^"]+)"/g)].at(-1)[1];
    const again = await stack.subscribe({ ep: ['past'], last_id: id });
    if (sent.length < PAST) {
      const next = (await again.takeUntil(`past-${PAST - 1}`)).find((frame) => /^past-/.test(frame.json.e.type));
      assert.equal(next.json.e.type, `past-${sent.length}`);
    }
    await again.close();
    raw.destroy();
    await hasEnded;
  });

  test('while the old program is still there it passes on what it is signalled', async () => {
    const raw = await catchUpSlowly(stack, 'past');
    const { old, hasEnded } = await stack.handOver();
    const reloads = () => lines(stack, /configuration reloaded/).length;
    const before = reloads();
    assert.equal(old.isRunning, true);
    old.signal('SIGHUP');
    await until('the new program reloads', () => reloads() > before);
    old.signal('SIGTERM');
    await until('the new program has ended', () => !stack.daemon.isRunning);
    assert.equal(old.isRunning, true);
    raw.destroy();
    await hasEnded;
  });
});

describe('clients for whom more is queued than may be', () => {
  test('are told to come back, and the others are handed over', async () => {
    const stack = await start('up-bound', { fanout: { max_pending: '20M', max_pending_total: '24M', stop_time: '5m', stop_spread: '0ms' } });
    const clients = await Promise.all(Array.from({ length: 6 }, () => stack.subscribe(['slow'])));
    clients.forEach((client) => client.pause());
    const sent = Array.from({ length: 40 }, (_, i) => `big-${i}`);
    for (const type of sent) {
      await stack.publish('slow', type, BIG);
    }
    const { hasEnded } = await stack.handOver();
    await stack.publish('slow', 'after');
    clients.forEach((client) => client.resume());
    const lasts = await Promise.all(
      clients.map(async (client) => {
        await client.until('the end of what is for it', () => ['after', 'stopping'].includes(client.frames.at(-1).json.e.type));
        const types = client.frames.map((frame) => frame.json.e.type).filter((type) => type !== 'connected');
        assert.deepEqual(types.slice(0, -1), sent);
        return types.at(-1);
      }),
    );
    assert.deepEqual([...new Set(lasts)].sort(), ['after', 'stopping']);
    await hasEnded;
    await Promise.all(clients.map((client) => client.close()));
    await stack.stop();
  });
});

describe('while a new program is awaited', () => {
  let stack;
  beforeEach(async () => {
    stack = await start('up-while', { fanout: { upgrade_pause: '100ms' } });
    stack.replaceProgram('#!/bin/sh\nexec sleep 600\n');
  });
  afterEach(() => stack?.stop());
  const untilStarted = () => until('it has started', async () => (await stack.outcome()).state === 'running');

  test('another upgrade is refused, by HTTP and by signal, and said so', async () => {
    stack.daemon.signal('SIGUSR2');
    await untilStarted();
    const answer = await request('http://localhost/upgrade', {
      method: 'POST',
      agent: false,
      socketPath: stack.socketPath,
      headers: { Authorization: `Bearer ${stack.adminToken}` },
    });
    assert.equal(answer.status, 409);
    stack.daemon.signal('SIGUSR2');
    await untilLine(stack, /warning esn-fanout: "?an upgrade is under way already"?$/);
    assert.equal((await stack.outcome()).number, 1);
  });

  test('the configuration can be reloaded', async () => {
    stack.daemon.signal('SIGUSR2');
    await untilStarted();
    await stack.reconfigure({ fanout: { upgrade_pause: '100ms', poll_time: '7s' } });
    assert.equal((await stack.outcome()).state, 'running');
  });

  test('SIGTERM ends both programs, and esnctl says that nothing answers any more', async () => {
    const waiting = stack.esnctl();
    await untilStarted();
    const [heir] = childrenOf(stack.daemon.pid);
    assert.equal(await stack.daemon.end(), 0);
    await until('the new program has ended', () => !isRunning(heir));
    const { code, stderr } = await waiting;
    assert.equal(code, 1);
    assert.match(stderr, /^esnctl: (nothing answers any more: |.*this program was told to stop)/);
  });
});
