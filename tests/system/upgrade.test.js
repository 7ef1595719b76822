'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { programs, tool } = require('./lib/paths');
const { FrameReader } = require('./lib/frames');
const { RawConnection, requestText } = require('./lib/raw');
const { freePort } = require('./lib/ports');
const { makeCertificate } = require('./lib/secure');
const { Subscriber } = require('./lib/subscriber');
const { childrenOf } = require('./lib/program');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { Upgradable } = require('./lib/upgrades');
const { WebSocketPeer } = require('./lib/websocket');

/** Polls as one client, again and again; `events` are all that came. */
class Poller {
  events = [];
  rounds = 0; // polls that were answered

  constructor(stack, subscription) {
    this.stack = stack;
    this.subscription = subscription;
    this.over = this.#run();
  }

  async #run() {
    let past = {};
    while (!this.isEnded) {
      const body = JSON.stringify({ ...this.subscription, ...past, wait: 500 });
      const { status, reason, json } = await this.stack.get('/poll', { method: 'POST', body });
      assert.equal(status, 200, reason);
      const { connid, secret } = json.events[0].e.detail;
      assert.ok(past.connid === undefined || past.connid === connid, 'it stays the same client');
      past = { last_id: json.id, connid, secret };
      this.rounds++;
      this.events.push(...json.events.slice(1).map((frame) => frame.e));
    }
  }

  async takeUntil(type) {
    await Promise.race([this.over, until(`the poller has ${type}`, () => this.events.some((event) => event.type === type))]);
    return this.events.splice(0, this.events.findIndex((event) => event.type === type) + 1);
  }

  async close() {
    this.isEnded = true;
    await this.over;
  }
}

/** One client of each transport; each has takeUntil(type), which gives the events up to that one, and close(). */
const CLIENTS = {
  async frames(stack, subscription) {
    const stream = await stack.subscribe(subscription);
    return { takeUntil: async (type) => (await stream.takeUntil(type)).map((frame) => frame.json.e), close: () => stream.close() };
  },
  async sse(stack, { ep, clid }) {
    const stream = await EventStream.open(`${stack.url}/sse?ep=${ep[0]}&clid=${clid}`);
    return { takeUntil: async (type) => (await stream.takeUntil(type)).map((event) => event.json.e), close: async () => stream.close() };
  },
  async websocket(stack, { ep, clid }) {
    const peer = await WebSocketPeer.open(stack.port, `/ws?ep=${ep[0]}&clid=${clid}`);
    return { peer, takeUntil: async (type) => (await takeUntil(peer, type)).map((frame) => frame.e), close: async () => peer.destroy() };
  },
  async lines(stack, subscription) {
    const peer = await LinePeer.open(stack.linesPort, subscription);
    return { peer, takeUntil: async (type) => (await takeUntil(peer, type)).map((frame) => frame.e), close: async () => peer.destroy() };
  },
  async poll(stack, subscription) {
    return new Poller(stack, subscription);
  },
};

/** Posts numbers on `a`, one after the other, until it is ended; each has to be taken. */
function postNumbers(stack) {
  const posted = { count: 0, isEnded: false };
  const run = async () => {
    while (!posted.isEnded) {
      await stack.publish('a', 'n', posted.count++);
    }
  };
  posted.over = run();
  posted.end = async () => {
    posted.isEnded = true;
    await posted.over;
  };
  return posted;
}

/** The numbers that came, of which none may be missing, come twice or too early. */
function assertAll(events, count, who) {
  const numbers = events.filter((event) => event.type === 'n').map((event) => event.detail);
  assert.deepEqual(numbers, Array.from({ length: count }, (_, i) => i), who);
}

const untilPosted = (posted, count) =>
  Promise.race([posted.over, until(`${count} events are posted`, () => posted.count >= count)]);

for (const [log, config] of Object.entries({ memory: {}, disk: { log: { sync: 'always' } } })) {
  describe(`five upgrades in a row, the log ${log === 'disk' ? 'on' : 'in'} ${log}`, () => {
    let stack;
    const clients = new Map();
    before(async () => {
      stack = await Upgradable.start(`up-${log}`, { handlers: 1, lines: true });
      if (log === 'disk') {
        await stack.daemon.end();
        stack.config = { ...stack.config, log: { ...config.log, path: path.join(stack.folder, 'log') } };
        stack.writeConfig();
        await stack.startDaemon();
        await stack.publishInTheEnd('anywhere', 'back');
      }
    });
    after(async () => {
      await Promise.all([...clients.values()].map((client) => client.close()));
      await stack?.stop();
    });

    test('no stream of any transport ends, and each event comes once', async () => {
      for (const [name, open] of Object.entries(CLIENTS)) {
        clients.set(name, await open(stack, { ep: ['a'], clid: name }));
      }
      // Who polls is present from its second poll on.
      await until('the poller comes back', () => clients.get('poll').rounds > 0 || stack.publish('a', 'first').then(() => false));
      await until('all are there', async () => (await stack.look('/connections')).poll === 1);
      const watcher = await stack.subscribe(['@CONNECTION@/+', 'end']);
      const posted = postNumbers(stack);
      const before = (await stack.outcome())?.number ?? 0;
      for (let i = 1; i <= 5; i++) {
        await untilPosted(posted, posted.count + 10);
        const outcome = await stack.upgrade();
        assert.deepEqual([outcome.number, outcome.state], [before + i, 'done']);
        const counts = await stack.look('/connections');
        assert.deepEqual(Object.keys(CLIENTS).filter((name) => counts[name] !== 1), [], JSON.stringify(counts));
      }
      await posted.end();
      await stack.publish('a', 'last');
      for (const [name, client] of clients) {
        assertAll(await client.takeUntil('last'), posted.count, name);
      }
      await stack.publish('end', 'end');
      const heard = (await watcher.takeUntil('end')).map((frame) => frame.json);
      const changes = heard.filter((frame) => frame.ep.emitted.startsWith('@CONNECTION@/') && frame.e.type === 'disconnect');
      assert.deepEqual(changes, [], 'nobody is said to have gone');
      await watcher.close();
    });

    test('who speaks is answered by the new program, and topics come and go', async () => {
      for (const name of ['websocket', 'lines']) {
        const client = await CLIENTS[name](stack, { ep: ['a'], clid: `speaks-${name}` });
        const { peer } = client;
        await peer.say(JSON.stringify({ subscribe: ['b'] }));
        await stack.upgrade();
        await stack.publish('b', `for-${name}`);
        await takeUntil(peer, `for-${name}`);
        await client.close();
      }
    });
  });
}

describe('what is under way', () => {
  let stack;
  before(async () => {
    stack = await Upgradable.start('up-way', { handlers: 1, lines: true });
  });
  after(() => stack?.stop());

  test('requests half read are answered by the new program', async () => {
    const body = JSON.stringify({ ep: ['a'] });
    const text = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const cuts = [1, 20, text.indexOf('\r\n\r\n') + 2, text.indexOf('\r\n\r\n') + 4, text.length - 3];
    const halves = [];
    for (const cut of cuts) {
      const raw = await RawConnection.open(stack.port);
      await raw.write(text.slice(0, cut));
      halves.push({ raw, rest: text.slice(cut) });
    }
    const line = await LinePeer.connect(stack.linesPort);
    await line.raw.write('{"ep":');
    await stack.get('/healthz'); // all of that was read before
    await stack.upgrade();
    for (const { raw, rest } of halves) {
      await raw.write(rest);
      await raw.take('the stream', (bytes) => (bytes.includes('connected') ? { length: bytes.length } : undefined));
      raw.destroy();
    }
    await line.say('["a"]}');
    assert.equal((await line.message()).e.type, 'connected');
    line.destroy();
  });

  test('a connection that waits between two requests is used again', async () => {
    const raw = await RawConnection.open(stack.port);
    const ask = async () => {
      await raw.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await raw.take('the answer', (bytes) => (bytes.includes('{"status":"ok"}') ? { length: bytes.length } : undefined));
    };
    await ask();
    await stack.upgrade();
    await ask();
    raw.destroy();
  });

  test('what waits for a slow client comes after the upgrade, whole and in order', async () => {
    const slow = await stack.subscribe(['slow']);
    slow.frames.length = 0;
    slow.pause();
    const detail = 'x'.repeat(200_000);
    for (let i = 0; i < 20; i++) {
      await stack.publish('slow', `big-${i}`, detail);
    }
    await stack.upgrade();
    await stack.publish('slow', 'after');
    slow.resume();
    const types = (await slow.takeUntil('after')).map((frame) => frame.json.e.type);
    assert.deepEqual(types, [...Array.from({ length: 20 }, (_, i) => `big-${i}`), 'after']);
    await slow.close();
  });

  test('who comes back resumes from the log of before, as the same client', async () => {
    const client = await stack.subscribe({ ep: ['a'], clid: 'back' });
    const { connid, secret } = client.connected;
    await stack.publish('a', 'heard');
    const { id } = (await client.takeUntil('heard')).at(-1).json;
    await client.close();
    await stack.publish('a', 'missed');
    await stack.upgrade();
    const again = await stack.subscribe({ ep: ['a'], clid: 'back', last_id: id, connid, secret });
    assert.equal(again.connected.connid, connid);
    assert.equal(again.connected.recovered, true);
    await again.takeUntil('missed');
    await again.close();
  });

  test('an event that is posted a second time is known', async () => {
    const body = { id: 'once', ep: ['a'], e: { type: 'x' } };
    const first = await stack.post(body);
    await stack.upgrade();
    const second = await stack.post(body);
    assert.equal(second.json.id, first.json.id, second.text);
  });

  test('what needs a restart else is taken over: the addresses', async () => {
    const other = path.join(stack.folder, 'other.sock');
    const stream = await stack.subscribe(['a']);
    const healthz = (socketPath) => request('http://localhost/healthz', { agent: false, socketPath }).then((answer) => answer.status);
    stack.writeConfig({ fanout: { listen: `unix:${stack.socketPath} unix:${other} 127.0.0.1:${stack.port}` } });
    await stack.upgrade();
    assert.equal(await healthz(other), 200);
    stack.writeConfig();
    await stack.upgrade();
    assert.equal(fs.existsSync(other), false, 'its socket is gone');
    assert.equal(await healthz(stack.socketPath), 200);
    await stack.publish('a', 'still');
    await stream.takeUntil('still');
    await stream.close();
  });
});

/** Clients that read as much as they are told to; each has takeUntil(type), which reads on and gives the types that came. */
const SLOW_CLIENTS = {
  async frames(stack, topic) {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('POST', '/', { body: JSON.stringify({ ep: [topic] }) }));
    await raw.head();
    const types = [];
    const reader = new FrameReader((text) => text !== '' && types.push(JSON.parse(text).e.type));
    const takeUntil = async (type) => {
      while (!types.includes(type)) {
        reader.write(Buffer.from((await raw.chunks((text) => text !== '')).text));
      }
      return types;
    };
    await takeUntil('connected');
    types.length = 0;
    return { raw, takeUntil };
  },
  async websocket(stack, topic) {
    const peer = await WebSocketPeer.open(stack.port, `/ws?ep=${topic}`);
    return { raw: peer.raw, takeUntil: async (type) => (await takeUntil(peer, type)).map((frame) => frame.e.type) };
  },
};

describe('clients that read slowly', () => {
  test('get each byte once, across upgrades in the middle of what is being written to them', async () => {
    const stack = await Upgradable.start('up-slow', { handlers: 1, config: { fanout: { max_pending: '64M' } } });
    const clients = await Promise.all(Object.values(SLOW_CLIENTS).map((open) => open(stack, 'slow')));
    clients.forEach(({ raw }) => raw.pause());
    const sent = Array.from({ length: 30 }, (_, i) => `big-${i}`);
    for (const type of sent) {
      await stack.publish('slow', type, 'x'.repeat(400_000));
    }
    for (let i = 0; i < 3; i++) {
      for (const { raw } of clients) {
        const wanted = raw.socket.bytesRead + 3_000_000; // more than the system keeps, of what one write is
        raw.resume();
        await raw.until('a part of it', () => raw.socket.bytesRead >= wanted);
        raw.pause();
      }
      await stack.upgrade();
    }
    await stack.publish('slow', 'after');
    for (const { raw, takeUntil: read } of clients) {
      raw.resume();
      assert.deepEqual(await read('after'), [...sent, 'after']);
      raw.destroy();
    }
    await stack.stop();
  });
});

describe('streams over TLS', () => {
  test('are told to come back, miss nothing, and are present meanwhile', async () => {
    const stack = await Upgradable.start('up-tls', {
      handlers: 1,
      prepare: async (prepared) => {
        const { cert, key } = makeCertificate(prepared.folder, 'certificate', ['localhost', '127.0.0.1']);
        prepared.tlsPort = await freePort();
        Object.assign(prepared.config.fanout, { listen_tls: `127.0.0.1:${prepared.tlsPort}`, tls_cert: cert, tls_key: key });
      },
    });
    const url = `https://127.0.0.1:${stack.tlsPort}/`;
    const subscription = { ep: ['a'], clid: 'tls' };
    const client = await Subscriber.open(url, subscription);
    const watcher = await stack.subscribe(['@CONNECTION@/+', 'end']);
    await stack.publish('a', 'heard');
    await stack.upgrade();
    await client.ended();
    assert.equal(client.endedCleanly, true);
    const { e, id } = client.frames.at(-1).json;
    assert.equal(e.type, 'stopping');
    assert.ok(e.detail.retry >= 0);
    assert.equal((await stack.look('/connections')).tls, 1, 'it is present still');
    await stack.publish('a', 'missed');
    const { connid, secret } = client.connected;
    const again = await Subscriber.open(url, { ...subscription, last_id: id, connid, secret });
    assert.equal(again.connected.connid, connid);
    assert.equal(again.connected.recovered, true);
    await again.takeUntil('missed');
    await stack.publish('end', 'end');
    const changes = (await watcher.takeUntil('end')).map((frame) => frame.json).filter((frame) => frame.ep.emitted === '@CONNECTION@/tls');
    assert.deepEqual(changes, []);
    await Promise.all([again.close(), watcher.close()]);
    await stack.stop();
  });
});

test('a new program that does not come up', async (t) => {
  let stack, stream, posted;
  const heard = [];
  t.before(async () => {
    stack = await Upgradable.start('up-fail', { handlers: 1 });
    stream = await stack.subscribe(['a', 'b'], { onFrame: (frame) => heard.push(frame.json.e) });
    posted = postNumbers(stack);
  });
  t.after(async () => {
    await posted?.end();
    await stream?.close();
    await stack?.stop();
  });

  /** Says hello as a new program does, and then does what `rest` says; the channel is its descriptor 3. */
  const FORM = 4; // of the state: SAVED_FORM
  const speaks = (form, rest) =>
    `#!${process.execPath}\nconst fs = require('node:fs');\nfs.writeSync(3, '\\x01${form}');\n${rest}\n`;
  const untilAsked = 'const part = Buffer.alloc(500);\nfs.readSync(3, part);\n';

  const CASES = {
    'crashes at start': ['#!/bin/sh\nexit 3\n', /^the new program ended with status 3 before it had taken over$/],
    'is killed at start': ['#!/bin/sh\nkill -KILL $$\n', /^the new program was ended by signal 9/],
    'is not there': [null, /^cannot start .*: no such file or directory$/],
    'hangs at start': ['#!/bin/sh\nexec sleep 600\n', /^the new program was not ready within 500 ms/, { upgrade_time: '500ms' }],
    'reads state of another form': [speaks(7777, 'setInterval(() => {}, 1000);'), /^the new program reads state of form 7777, this one writes form \d/],
    'ends while it takes over': [speaks(FORM, `${untilAsked}process.exit(4);`), /^the new program ended with status 4 before it had taken over$/],
    'hangs up before it ends': [speaks(FORM, `${untilAsked}fs.closeSync(3);\nprocess.exit(5);`), /^the new program ended with status 5 before it had taken over$/],
    'hangs while it takes over': [speaks(FORM, `${untilAsked}setInterval(() => {}, 1000);`), /no answer in time$/, { upgrade_pause: '500ms' }],
    'refuses': [speaks(FORM, `${untilAsked}fs.writeSync(3, '\\x02its own words');\nprocess.exit(0);`), /^its own words$/],
    'refuses at once': [speaks(FORM, "fs.writeSync(3, '\\x02its own words');\nprocess.exit(0);"), /^its own words$/],
    'has no memory': ['#!/bin/sh\nulimit -v 20000\nexec %PROGRAM% "$@"\n', /^the new program (ended with status|was ended by signal)|memory|Resource temporarily unavailable/],
  };
  for (const [what, [script, reason, fanout]] of Object.entries(CASES)) {
    await t.test(`one that ${what}: the old one serves on, and says why`, async () => {
      const pid = stack.daemon.pid;
      if (fanout) {
        await stack.reconfigure({ fanout });
      }
      stack.replaceProgram(script && script.replace('%PROGRAM%', programs.fanout));
      assert.match(await stack.failUpgrade(), reason);
      assert.equal(stack.daemon.pid, pid);
      const count = posted.count;
      await untilPosted(posted, count + 5);
      await stack.publish('b', 'still');
      await stream.takeUntil('still');
      if (fanout) {
        await stack.reconfigure();
      }
    });
  }

  await t.test('a configuration that is not good: likewise', async () => {
    stack.replaceProgram();
    stack.writeConfig({ fanout: { nonsense: 'yes' } });
    assert.match(await stack.failUpgrade(), /nonsense/);
    stack.writeConfig({ fanout: { listen: `unix:/nowhere/http.sock unix:${stack.socketPath}` } });
    assert.match(await stack.failUpgrade(), /^cannot listen on unix:\/nowhere\/http\.sock: /);
    await untilPosted(posted, posted.count + 5);
    if (stack.engine.daemonKeeps) {
      stack.writeConfig({ log: { path: path.join(stack.folder, 'log') } });
      assert.match(await stack.failUpgrade(), /\[log\] path has changed/);
    }
    stack.writeConfig();
    await untilPosted(posted, posted.count + 5);
  });

  await t.test('after all of them the next upgrade works, and no event was lost or doubled', async () => {
    stack.replaceProgram();
    await stack.upgrade();
    await posted.end();
    await stack.publish('a', 'last');
    await stream.takeUntil('last');
    assertAll(heard, posted.count, 'the stream');
  });
});

describe('SIGUSR2', () => {
  test('does the same', async () => {
    const stack = await Upgradable.start('up-usr2', { handlers: 1 });
    const stream = await stack.subscribe(['a']);
    const old = stack.daemon;
    old.signal('SIGUSR2');
    const outcome = await until('another program serves', async () => {
      const now = await stack.outcome();
      return now?.state === 'done' && now;
    });
    assert.equal(await old.ended, 0);
    stack.adopt(outcome.pid);
    await stack.publish('a', 'after');
    await stream.takeUntil('after');
    await stream.close();
    await stack.stop();
  });
});

/** The process at the end of a line of those that have one child each. */
function youngest(pid) {
  const [child] = childrenOf(pid);
  return child === undefined ? pid : youngest(child);
}

describe('a container', () => {
  const CONTAINER = [tool('unshare', 'util-linux'), '--user', '--map-root-user', '--pid', '--mount-proc', '--fork', '--kill-child'];
  const CASES = {
    'process 1': [CONTAINER, /^this is process 1, with which its container ends: that needs a restart$/],
    'the child of process 1, as of tini': [
      [...CONTAINER, '/bin/sh', '-c', '"$@"; exit $?', 'sh'],
      /^this was started by process 1 \(sh\), which ends with it: that needs a restart$/,
    ],
  };
  for (const [what, [wrapper, reason]] of Object.entries(CASES)) {
    test(`${what} is not replaced, since all would end with it`, async () => {
      const stack = await Upgradable.start('up-one', { wrapper });
      try {
        const stream = await stack.subscribe(['a']);
        assert.match(await stack.failUpgrade(), reason);
        process.kill(youngest(stack.daemon.pid), 'SIGTERM');
        assert.equal(await stack.daemon.ended, 0);
        await stream.ended();
      } finally {
        await stack.stop();
      }
    });
  }
});
