'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const tls = require('node:tls');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { newFolder, programs } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { RawConnection, requestText } = require('./lib/raw');
const { makeCertificate } = require('./lib/secure');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { until, within } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

/** A stack whose daemon speaks TLS on tlsPort and, with lines, on tlsLinesPort. */
async function startStack({ fanout = {}, certificates = [['localhost', '127.0.0.1']], ...options } = {}) {
  const stack = new Stack('tls', { handlers: 1, ...options, config: options.config ?? {} });
  stack.tlsPort = await freePort();
  stack.tlsLinesPort = await freePort();
  stack.secureUrl = `https://127.0.0.1:${stack.tlsPort}`;
  stack.pairs = certificates.map((hosts, i) => makeCertificate(stack.folder, `certificate-${i}`, hosts));
  stack.config.fanout = {
    listen_tls: `127.0.0.1:${stack.tlsPort}`,
    listen_lines_tls: `127.0.0.1:${stack.tlsLinesPort}`,
    tls_cert: stack.pairs.map(({ cert }) => cert).join(' '),
    tls_key: stack.pairs.map(({ key }) => key).join(' '),
    ...fanout,
  };
  await stack.start();
  return stack;
}

const secure = { secure: true };

/** What is known of a handshake with these options, when a request was answered after it. */
async function shakeHands(port, options = {}) {
  const raw = await RawConnection.open(port, { ...secure, ...options });
  const certificate = raw.socket.getPeerCertificate();
  const known = {
    name: certificate.subject?.CN,
    serial: certificate.serialNumber,
    protocol: raw.socket.getProtocol(),
    alpn: raw.socket.alpnProtocol,
    reused: raw.socket.isSessionReused(),
  };
  await raw.write(requestText('GET', '/healthz'));
  assert.equal((await raw.answer()).status, 200);
  known.session = raw.socket.getSession();
  raw.destroy();
  return known;
}

const state = async (stack) => (await stack.look('/state')).tls;

describe('TLS', () => {
  let stack;
  before(async () => {
    stack = await startStack({ fanout: { poll_gap: '0' }, config: { log: { max_bytes: '64M' } } });
  });
  after(() => stack?.stop());
  afterEach(() => RawConnection.destroyAll());

  const WAYS = {
    frames: async (past = {}) => {
      const stream = await Subscriber.open(`${stack.secureUrl}/`, { ep: ['a/#'], ...past });
      const take = async (type) => (await stream.takeUntil(type)).map((frame) => frame.json);
      return { connected: stream.connected, take, close: () => stream.close() };
    },
    sse: async (past = {}) => {
      const stream = await EventStream.open(`${stack.secureUrl}/sse?${new URLSearchParams({ ep: 'a/#', ...past })}`);
      const { connected } = stream;
      const take = async (type) => (await stream.takeUntil(type)).map((event) => event.json);
      return { connected, take, close: async () => stream.close() };
    },
    websocket: async (past = {}) => {
      const peer = await WebSocketPeer.open(stack.tlsPort, `/ws?${new URLSearchParams({ ep: 'a/#', ...past })}`, { connection: secure });
      return { connected: peer.connected, take: (type) => takeUntil(peer, type), close: async () => peer.destroy() };
    },
    lines: async (past = {}) => {
      const peer = await LinePeer.open(stack.tlsLinesPort, { ep: ['a/#'], ...past }, secure);
      return { connected: peer.connected, take: (type) => takeUntil(peer, type), close: async () => peer.destroy() };
    },
  };
  for (const [way, open] of Object.entries(WAYS)) {
    test(`${way}: shouts, whispers, what was missed`, async () => {
      const stream = await open();
      const { connid, secret } = stream.connected;
      await stack.publish('a/x', 'shout', { text: 'ñ'.repeat(3000) });
      const { receivers } = (await stack.post({ ep: [{ topic: 'a/x', whisper: connid }], e: { type: 'whisper' } })).json;
      assert.equal(receivers, 1);
      const heard = await stream.take('whisper');
      assert.deepEqual(heard.filter((frame) => frame.e.type !== 'connected').map((frame) => frame.e.type), ['shout', 'whisper']);
      assert.equal(heard.find((frame) => frame.e.type === 'shout').e.detail.text, 'ñ'.repeat(3000));
      await stream.close();
      await stack.untilTotal(0);
      await stack.publish('a/x', 'missed');
      const again = await open({ last_id: heard.at(-1).id, connid, secret });
      assert.equal(again.connected.recovered, true);
      assert.equal(again.connected.connid, connid);
      assert.deepEqual((await again.take('missed')).filter((frame) => frame.ep.emitted !== '@SERVER@').map((frame) => frame.e.type), ['missed']);
      await again.close();
      await stack.untilTotal(0);
    });
  }

  test('long-polls and other requests share a connection', async () => {
    const raw = await RawConnection.open(stack.tlsPort, secure);
    await raw.write(requestText('POST', '/poll', { body: JSON.stringify({ ep: ['b'], wait: 0 }) }) + requestText('GET', '/healthz'));
    assert.equal(JSON.parse((await raw.answer()).text).events[0].e.type, 'connected');
    assert.equal((await raw.answer()).text, '{"status":"ok"}');
    const big = JSON.stringify({ ep: Array.from({ length: 500 }, (_, i) => `many/${i}/${'x'.repeat(60)}`), wait: 0 });
    await raw.write(requestText('POST', '/poll', { body: big }));
    assert.equal((await raw.answer()).status, 200);
    raw.destroy();
    await stack.untilTotal(0);
  });

  test('12 MB that a slow client missed come whole and in order', async () => {
    const first = await WAYS.frames();
    await first.close();
    const detail = 'b'.repeat(12_000);
    for (let i = 0; i < 1000; i++) {
      await stack.publish('a/large', 'part', { i, detail });
    }
    const stream = await Subscriber.open(`${stack.secureUrl}/`, { ep: ['a/large'], last_id: first.connected.id });
    let turns = 0;
    while (stream.events().length < 1000) {
      stream.pause();
      const before = stream.frames.length;
      await new Promise((resolve) => setImmediate(resolve));
      stream.resume();
      await stream.until('more of it', () => stream.frames.length > before);
      turns++;
    }
    assert.deepEqual(stream.events().map((frame) => frame.json.e.detail.i), Array.from({ length: 1000 }, (_, i) => i));
    assert.ok(stream.events().every((frame) => frame.json.e.detail.detail === detail));
    assert.ok(turns > 1);
    await stream.close();
    await stack.untilTotal(0);
  });

  test('a client that does not read is closed, and others hear', async () => {
    const other = await WAYS.websocket();
    const slow = await Subscriber.open(`${stack.secureUrl}/`, ['a/slow']);
    slow.pause();
    const { closed } = await stack.look('/state');
    for (let i = 0; (await stack.look('/state')).closed.slow === closed.slow; i++) {
      await stack.publish('a/slow', 'much', { i, text: 'x'.repeat(50_000) });
    }
    slow.resume();
    await slow.over;
    await stack.publish('a/other', 'last');
    await other.take('last');
    await other.close();
    await stack.untilTotal(0);
  });

  test('speaks HTTP/1.1 in TLS 1.2 and 1.3, with each client its tickets', async () => {
    const three = await shakeHands(stack.tlsPort, { ALPNProtocols: ['h2', 'http/1.1'] });
    assert.deepEqual([three.protocol, three.alpn, three.reused], ['TLSv1.3', 'http/1.1', false]);
    const two = await shakeHands(stack.tlsPort, { maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] });
    assert.deepEqual([two.protocol, two.alpn], ['TLSv1.2', false]);
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
      const { session } = await shakeHands(stack.tlsPort, { maxVersion });
      const before = await state(stack);
      assert.equal((await shakeHands(stack.tlsPort, { session, maxVersion })).reused, true, maxVersion);
      assert.equal((await state(stack)).resumed, before.resumed + 1);
    }
  });

  test('answers what is no TLS, and counts it', async () => {
    const before = await state(stack);
    const answer = await request(`http://127.0.0.1:${stack.tlsPort}/healthz`, { agent: false });
    assert.deepEqual([answer.status, answer.json], [400, { error: 'This port speaks HTTPS' }]);
    const cases = { other: Buffer.from('\x16\x03\x01\x00\x05hello'), unfinished: Buffer.from('\x16\x03\x01\x02\x00') };
    for (const [name, bytes] of Object.entries(cases)) {
      const raw = await RawConnection.open(stack.tlsPort);
      await raw.write(bytes);
      raw.halfClose();
      await raw.closed();
      raw.destroy();
      await until(`"${name}" is counted`, async () => (await state(stack)).failed[name] > before.failed[name]);
    }
    const old = { secureProtocol: 'TLSv1_1_method', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(RawConnection.open(stack.tlsPort, { ...secure, ...old }), /version/);
    await assert.rejects(RawConnection.open(stack.tlsPort, { ...secure, maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }), /handshake failure|alert/);
    await assert.rejects(RawConnection.open(stack.tlsPort, { ...secure, ca: [], maxVersion: 'TLSv1.2' }), /self-signed/);
    const now = await until('all are counted', async () => {
      const { failed } = await state(stack);
      return failed.version > before.failed.version && failed.cipher > before.failed.cipher && failed;
    });
    assert.equal(now.plain, before.failed.plain + 1);
  });

  test('refuses to negotiate anew', async () => {
    const raw = await RawConnection.open(stack.tlsPort, { ...secure, maxVersion: 'TLSv1.2' });
    const refused = await within('the refusal', new Promise((resolve) => {
      raw.socket.on('error', resolve);
      raw.socket.renegotiate({}, (error) => error && resolve(error));
    }));
    assert.match(refused.message, /renegotiation/);
    raw.destroy();
  });

  test('explains its memory', async () => {
    const before = await stack.look('/memory');
    const streams = await Promise.all(Array.from({ length: 200 }, () => WAYS.websocket()));
    const now = await stack.look('/memory');
    const grown = (part) => now[part] - before[part];
    assert.ok(grown('tls') > 200 * 1000, `${grown('tls')}`);
    const share = grown('explained') / grown('heap_used');
    assert.ok(share > 0.9 && share < 1.1, `${grown('explained')} of ${grown('heap_used')}`);
    await Promise.all(streams.map((stream) => stream.close()));
    await stack.untilTotal(0);
  });
});

describe('TLS by configuration', () => {
  let stack;
  const start = async (options) => {
    stack = await startStack(options);
  };
  beforeEach(() => {
    stack = undefined;
  });
  afterEach(async () => {
    RawConnection.destroyAll();
    await stack?.stop();
  });

  test('gives the certificate of the name that is asked for', async () => {
    await start({ certificates: [['shop.example', 'www.shop.example'], ['*.house.example']] });
    const name = async (servername) => (await shakeHands(stack.tlsPort, { servername, checkServerIdentity: () => undefined })).name;
    assert.deepEqual(await Promise.all(['www.shop.example', 'ana.house.example', 'unknown.example'].map(name)),
      ['shop.example', '*.house.example', 'shop.example']);
  });

  test('takes new certificates over while streams go on, and keeps the old where the new are faulty', async () => {
    await start();
    const serial = async () => (await shakeHands(stack.tlsPort)).serial;
    const first = await serial();
    const stream = await Subscriber.open(`${stack.secureUrl}/`, ['a']);
    const reload = (words) => {
      const from = stack.daemon.output().length;
      stack.daemon.signal('SIGHUP');
      return until(`the log says ${words}`, () => stack.daemon.output().slice(from).includes(words));
    };
    fs.writeFileSync(stack.pairs[0].cert, 'no certificate');
    await reload('certificates not reloaded, the old ones stay');
    assert.equal(await serial(), first);
    const other = makeCertificate(stack.folder, 'other', ['localhost', '127.0.0.1']);
    fs.copyFileSync(other.cert, stack.pairs[0].cert);
    await reload('is not the key of the certificate');
    assert.equal(await serial(), first);
    fs.copyFileSync(other.key, stack.pairs[0].key);
    await reload('configuration reloaded');
    assert.notEqual(await serial(), first);
    await stack.publish('a', 'still');
    await stream.takeUntil('still');
    await stream.close();
  });

  test('forgets the keys of tickets', async () => {
    await start({ fanout: { tls_ticket_time: '1s' } });
    const { session } = await shakeHands(stack.tlsPort);
    await until('the ticket is too old', async () => !(await shakeHands(stack.tlsPort, { session })).reused);
  });

  test('ends a handshake that does not go on', async () => {
    await start({ fanout: { header_time: '1s' } });
    for (const bytes of ['', '\x16\x03\x01\x02\x00\x01']) {
      const raw = await RawConnection.open(stack.tlsPort);
      await raw.write(bytes);
      await raw.closed();
    }
    await until('they are counted', async () => (await state(stack)).failed.unfinished === 2);
  });

  test('speaks nothing older than it should', async () => {
    await start({ fanout: { tls_min: '1.3' } });
    await assert.rejects(RawConnection.open(stack.tlsPort, { ...secure, maxVersion: 'TLSv1.2' }), /version/);
    assert.equal((await shakeHands(stack.tlsPort)).protocol, 'TLSv1.3');
  });

  test('turns away who is one too many', async () => {
    await start({ fanout: { max_connections_per_address: '2', trusted_proxies: '' } });
    const held = [await RawConnection.open(stack.tlsPort, secure), await RawConnection.open(stack.tlsPort, secure)];
    await assert.rejects(RawConnection.open(stack.tlsPort, secure));
    held[0].destroy();
    await until('there is room again', () => RawConnection.open(stack.tlsPort, secure).then(() => true, () => false));
  });
});

describe('TLS that cannot be', () => {
  const folder = newFolder('tls-check');
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const one = makeCertificate(folder, 'one', ['localhost']);
  const two = makeCertificate(folder, 'two', ['localhost']);
  const open = path.join(folder, 'open.key');
  fs.copyFileSync(one.key, open);
  fs.chmodSync(open, 0o644);
  const cases = {
    'no certificate': [{ tls_cert: '', tls_key: '' }, /tls_cert.*is empty, but listen_tls or listen_lines_tls names an address/],
    'a key too few': [{ tls_cert: `${one.cert} ${two.cert}`, tls_key: one.key }, /tls_key.*has 1 files, but tls_cert has 2/],
    'a file that is not there': [{ tls_cert: path.join(folder, 'none'), tls_key: one.key }, /none: no certificate in PEM/],
    'a key that is none': [{ tls_cert: one.cert, tls_key: one.cert }, /one\.crt/],
    'the key of another': [{ tls_cert: one.cert, tls_key: two.key }, /two\.key: is not the key of the certificate in .*one\.crt/],
    'a key for everybody': [{ tls_cert: one.cert, tls_key: open }, /open\.key/],
    'an address that is none': [{ tls_cert: one.cert, tls_key: one.key, listen_tls: 'everywhere' }, /"everywhere" should be host:port/],
    'a version that is none': [{ tls_cert: one.cert, tls_key: one.key, tls_min: '1.1' }, /tls_min/],
  };
  for (const [name, [keys, words]] of Object.entries(cases)) {
    test(name, () => {
      const file = path.join(folder, 'conf');
      const lines = Object.entries({ listen_tls: '127.0.0.1:0', ...keys }).map(([key, value]) => `${key} = ${value}\n`);
      fs.writeFileSync(file, `[fanout]\n${lines.join('')}[bus]\nevents = ipc://${folder}/e\nacks = ipc://${folder}/a\n`);
      for (const options of [['--check-config'], []]) {
        const { status, stderr } = spawnSync(programs.fanout, [...options, '--config', file], { encoding: 'utf8', timeout: 60_000 });
        assert.ok(status > 0, `${options}: ${status}`);
        assert.match(stderr, words);
      }
    });
  }
});
