'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const WebSocket = require('ws');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { Program } = require('./lib/program');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { ask, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { OPCODE, WebSocketPeer, closePayload, frame } = require('./lib/websocket');

describe('WebSocket clients of others', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('wsc', { handlers: 1, config: { fanout: { keep_alive: '1s' } } });
  });
  after(() => stack?.stop());
  afterEach(() => stack.untilTotal(0));

  const url = () => `ws://127.0.0.1:${stack.port}/ws`;

  /** The client of npm's `ws`: what it got, and how it was closed. */
  function openWs(query = '') {
    const client = { frames: [], pings: 0, socket: new WebSocket(`${url()}${query}`) };
    client.socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      client.frames.push(JSON.parse(data));
    });
    client.socket.on('ping', () => client.pings++);
    client.closed = new Promise((resolve, reject) => {
      client.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      client.socket.on('error', reject);
    });
    client.closed.catch(() => {});
    client.until = (type) => until(`${type} has come`, () => client.frames.find((json) => json.e.type === type));
    return client;
  }

  test('ws of npm: topics, events, pings both ways and the end', async () => {
    const client = openWs('?ep=a&clid=npm');
    await client.until('connected');
    assert.equal(client.socket.extensions, '', 'what it offers is not taken');
    client.socket.send('{"subscribe":["b/+"]}');
    assert.deepEqual((await client.until('subscribed')).e.detail, { topics: 2 });
    const large = 'x'.repeat(900_000);
    await stack.publish(['a', 'b/c'], 'large', large);
    await until('both have come', () => client.frames.filter((json) => json.e.type === 'large').length === 2);
    assert.equal((await client.until('large')).e.detail === large, true);
    const answered = new Promise((resolve) => client.socket.once('pong', resolve));
    client.socket.ping('are you there?');
    assert.equal((await answered).toString(), 'are you there?');
    await until('it was pinged twice', () => client.pings >= 2);
    assert.equal(client.socket.readyState, WebSocket.OPEN, 'its own pongs were taken');
    client.socket.close(4001, 'enough');
    assert.deepEqual(await client.closed, { code: 4001, reason: '' });
  });

  test('ws of npm: a message in fragments, and one that is refused', async () => {
    const client = openWs();
    await client.until('connected');
    client.socket.send('{"subscribe":', { fin: false });
    client.socket.send('["a"]}', { fin: true });
    assert.deepEqual((await client.until('subscribed')).e.detail, { topics: 1 });
    client.socket.send(Buffer.from([1, 2, 3]), { binary: true });
    assert.deepEqual(await client.closed, { code: 1003, reason: 'Messages should be text' });
  });

  test('ws of npm: a handshake that is refused says why', async () => {
    const client = openWs('?ep=');
    await assert.rejects(client.closed, /Unexpected server response: 400/);
  });

  test('websockets of Python', async () => {
    const script = `
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        print(json.loads(await socket.recv())["e"]["type"], flush=True)
        await socket.send(json.dumps({"subscribe": ["py/+"]}))
        print(json.loads(await socket.recv())["e"], flush=True)
        event = json.loads(await socket.recv())
        print(event["ep"]["emitted"], event["e"]["detail"], flush=True)
        await (await socket.ping())
        print("pong", flush=True)
    print(socket.close_code, flush=True)
asyncio.run(main())
`;
    const client = new Program('python', ['/usr/bin/python3', '-c', script, url()], {
      log: path.join(stack.folder, 'python.log'),
    });
    await client.until('it has subscribed', () => client.output().includes('subscribed'));
    await stack.publish('py/x', 'hello', 'größer');
    assert.equal(await client.ended, 0, client.output());
    assert.deepEqual(client.output().trim().split('\n'), [
      'connected',
      "{'type': 'subscribed', 'detail': {'topics': 1}}",
      'py/x größer',
      'pong',
      '1000',
    ]);
  });
});

const query = (pairs) => new URLSearchParams(pairs);

for (const web of ['nginx', 'Apache with mod_fcgid', 'Apache with mod_proxy_fcgi', 'Apache with plain CGI']) {
  describe(`WebSocket behind ${web}`, () => {
    let bound;
    before(async () => {
      // Apache notices that a client is gone when it writes to it a second time.
      bound = await Bound.start({ web, config: { fanout: { keep_alive: '1s' } } });
      await bound.add('CASA/NIVEL_AGUA', { sub: ['luis'] });
    });
    after(() => bound?.stop());
    afterEach(() => {
      RawConnection.destroyAll();
      return bound.stack.untilTotal(0);
    });

    const ticketFor = async (body) => {
      const answer = await request(`${bound.url}ticket`, { method: 'POST', agent: false, body: JSON.stringify(body) });
      assert.equal(answer.status, 200, answer.text);
      return answer.json;
    };

    /** WebSockets follow no redirection: where no stream is held by the web server, they go where the ticket says. */
    const open = async (pairs) => {
      if (bound.web.mode !== 'redirect') {
        return WebSocketPeer.open(bound.web.port, `/notify/ws?${query(pairs)}`);
      }
      const { ep, clid, ticket } = Object.fromEntries(pairs);
      const url = new URL(`${bound.stack.url}/`);
      if (ticket !== undefined) {
        return WebSocketPeer.open(url.port, `/ws?${query([['ticket', ticket]])}`);
      }
      const given = await ticketFor({ ep: ep ? [ep] : [], clid });
      assert.ok(given.url.startsWith(url.href), given.url);
      return WebSocketPeer.open(url.port, `/ws?${query([['ticket', given.ticket]])}`);
    };

    test('messages go both ways at once', async () => {
      const peer = await open([['ep', 'a/+'], ['clid', 'web']]);
      peer.answersPings = true;
      await ask(peer, { subscribe: ['b'] });
      for (let i = 0; i < 20; i++) {
        await bound.post(['a/x', 'b'], { type: `n-${i}` });
        const [first, second] = [await peer.message(), await peer.message()];
        assert.deepEqual([first.e.type, second.e.type], [`n-${i}`, `n-${i}`]);
      }
      assert.equal(await bound.stack.look('/connections?clid=web'), 1);
      await peer.send(frame(OPCODE.close, closePayload(1000)));
      assert.equal((await peer.silence()).code, 1000);
    });

    test('bound topics come by bind key or ticket, and can be given up', async () => {
      const ticket = async () => {
        const ep = ['plain', { topic: 'CASA/NIVEL_AGUA', binded: true }];
        return (await ticketFor({ ep, bind_key: bindKey('luis') })).ticket;
      };
      const ways = [async () => open([['ticket', await ticket()]])];
      if (bound.web.mode !== 'redirect') {
        ways.push(() => open([['ep', 'plain'], ['binded', 'CASA/NIVEL_AGUA'], ['bind_key', bindKey('luis')]]));
      }
      for (const come of ways) {
        const peer = await come();
        peer.answersPings = true;
        assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'bound' })).receivers, 1);
        await takeUntil(peer, 'bound');
        const wanted = [{ topic: 'CASA/NIVEL_AGUA', binded: true }];
        assert.equal((await ask(peer, { subscribe: wanted })).detail.error, 'Bound topics need a bind key');
        assert.deepEqual((await ask(peer, { subscribe: ['more'] })).detail, { topics: 3 });
        assert.deepEqual((await ask(peer, { unsubscribe: wanted })).detail, { topics: 2 });
        assert.equal((await bound.publish('CASA/NIVEL_AGUA', { as: 'ana', type: 'again' })).receivers, 0);
        peer.destroy();
        await bound.stack.untilTotal(0);
      }
      if (bound.web.mode !== 'redirect') {
        await assert.rejects(open([['binded', 'CASA/NIVEL_AGUA'], ['bind_key', 'none']]), /400/);
      }
      await assert.rejects(open([['ticket', 'none']]), /400/);
    });
  });
}
