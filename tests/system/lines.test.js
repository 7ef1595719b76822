'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { Bound } = require('./lib/bound');
const { bindKey } = require('./lib/bind-keys');
const { freePort } = require('./lib/ports');
const { request } = require('./lib/http');
const { tool } = require('./lib/paths');
const { Program } = require('./lib/program');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { LinePeer, ask, takeUntil } = require('./lib/two-way');

describe('raw TCP', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('lines', {
      handlers: 1,
      lines: true,
      config: { fanout: { header_time: '1s', linger_time: '500ms', max_message: '4k' } },
    });
  });
  after(() => stack?.stop());
  afterEach(() => {
    RawConnection.destroyAll();
    return stack.untilTotal(0);
  });

  for (const [name, command] of [
    ['socat', () => [tool('socat', 'socat'), '-', `TCP:127.0.0.1:${stack.linesPort}`]],
    ['nc', () => [tool('nc', 'netcat-openbsd'), '127.0.0.1', String(stack.linesPort)]],
  ]) {
    test(`${name} is all that it takes`, async () => {
      const client = new Program(name, command(), { log: path.join(stack.folder, `${name}.log`), stdin: 'pipe' });
      const lines = () => client.output().split('\n').filter(Boolean).map((line) => JSON.parse(line).e);
      const shows = (type) => client.until(`it shows ${type}`, () => client.output().includes(`"type":"${type}"`));
      client.stdin.write('{"ep":["house/+"],"clid":"device"}\n');
      await shows('connected');
      await stack.publish('house/lamp', 'on', { by: 'ñ' });
      await shows('on');
      client.stdin.write('{"subscribe":["garden"]}\n');
      await shows('subscribed');
      await stack.publish('garden', 'rain');
      await shows('rain');
      assert.deepEqual(lines().slice(1), [
        { type: 'on', detail: { by: 'ñ' } },
        { type: 'subscribed', detail: { topics: 2 } },
        { type: 'rain' },
      ]);
      assert.equal(await stack.look('/connections?clid=device'), 1);
      await client.end('SIGTERM');
    });
  }

  for (const [what, line, reason] of [
    ['no JSON', 'hello', 'Invalid JSON in body'],
    ['HTTP', 'GET / HTTP/1.1\r', 'Invalid JSON in body'],
    ['a message before the subscription', '{"ping":1}', 'Event Points should be an array'],
    ['a bad topic', '{"ep":["a",""]}', 'Topic is empty'],
    ['a bound topic', '{"ep":[{"topic":"a","binded":true}]}', 'Bound topics need a bind key'],
    ['a bind key', '{"ep":["a"],"bind_key":"k"}', 'Bind keys are not accepted here'],
    ['a ticket that is none', '{"ticket":"t"}', 'Invalid ticket'],
    ['a line that is too long', `{"ep":["${'x'.repeat(5000)}"]}`, 'Line too long'],
    ['a line that never ends', 'x'.repeat(5000), 'Line too long'],
  ]) {
    test(`${what} is refused with a reason, and the connection ends`, async () => {
      const peer = await LinePeer.connect(stack.linesPort);
      await (what.endsWith('never ends') ? peer.raw.write(line) : peer.say(line));
      assert.deepEqual(await peer.message(), { error: reason });
      await peer.closing();
    });
  }

  test('who does not say in time what it wants is told, and closed', async () => {
    for (const beginning of ['', '{"ep":["a"]', '\n\n']) {
      const peer = await LinePeer.connect(stack.linesPort);
      await peer.raw.write(beginning);
      assert.deepEqual(await peer.message(), { error: 'Subscription not received in time' });
      await peer.closing();
    }
  });

  test('lines in pieces of one byte, with CR LF, and many in one packet', async () => {
    const peer = await LinePeer.connect(stack.linesPort);
    for (const byte of Buffer.from('{"ep":["é"]}\r\n{"subscribe":["b"]}\r\n\r\n')) {
      await peer.raw.write(Buffer.from([byte]));
    }
    assert.equal((await peer.message()).e.type, 'connected');
    assert.deepEqual((await peer.message()).e.detail, { topics: 2 });
    await peer.raw.write('{"ping":1}\n'.repeat(50));
    for (let i = 0; i < 50; i++) {
      assert.equal((await peer.message()).e.type, 'pong');
    }
    await stack.publish('é', 'accent');
    await takeUntil(peer, 'accent');
  });

  test('several addresses, a unix socket among them', async () => {
    const other = await freePort();
    const socket = path.join(stack.folder, 'lines.sock');
    await stack.daemon.end();
    stack.writeConfig({ fanout: { listen_lines: `127.0.0.1:${stack.linesPort} 127.0.0.1:${other} unix:${socket}` } });
    await stack.startDaemon();
    for (const options of [{ port: stack.linesPort }, { port: other }, { path: socket, port: undefined, host: undefined }]) {
      const peer = new LinePeer();
      peer.raw = await RawConnection.open(options.port, options);
      await peer.say({ ep: ['a'] });
      assert.equal((await peer.message()).e.type, 'connected');
      peer.destroy();
    }
  });
});

describe('raw TCP with a ticket', () => {
  let bound;
  let port;
  before(async () => {
    port = await freePort();
    bound = await Bound.start({ config: { fanout: { listen_lines: `127.0.0.1:${port}` } } });
    await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
    await bound.esnctl('follow', 'CASA/NIVEL_AGUA', 'luis');
  });
  after(() => {
    RawConnection.destroyAll();
    return bound?.stop();
  });

  async function ticket() {
    const ep = ['plain', { topic: 'CASA/NIVEL_AGUA', binded: true }, { topic: '@USER@', binded: true }];
    const body = JSON.stringify({ ep, clid: 'device', bind_key: bindKey('luis') });
    const answer = await request(`${bound.url}ticket`, { method: 'POST', agent: false, body });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.ticket;
  }

  test('it hears what is bound and targeted, once for each ticket, and may be who it was', async () => {
    const text = await ticket();
    const peer = await LinePeer.open(port, { ticket: text });
    assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'bound' })).receivers, 1);
    await takeUntil(peer, 'bound');
    await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'targeted', targeted: true });
    const inbox = (await takeUntil(peer, 'targeted')).at(-1);
    assert.deepEqual([inbox.ep.requested, inbox.ep.emitted], ['@USER@', 'CASA/NIVEL_AGUA']);
    const unwanted = [{ topic: '@USER@', binded: true }];
    assert.deepEqual(await ask(peer, { unsubscribe: unwanted }), { type: 'unsubscribed', detail: { topics: 2 } });
    assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'none', targeted: true })).receivers, 0);

    const twice = await LinePeer.connect(port);
    await twice.say({ ticket: text });
    assert.deepEqual(await twice.message(), { error: 'Invalid ticket' });
    await twice.closing();
    const { connid, secret } = peer.connected;
    peer.destroy();
    await bound.stack.untilTotal(0);
    const again = await LinePeer.open(port, { ticket: await ticket(), connid, secret });
    assert.equal(again.connected.connid, connid);
    again.destroy();
    await bound.stack.untilTotal(0);
  });
});
