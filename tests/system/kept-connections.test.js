'use strict';

// A web server that keeps its connections to esn-event (FCGI_KEEP_CONN): nobody starves behind those that are idle, and no post
// is lost when either side ends.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { startApache } = require('./lib/apache');
const { FastCgi, postBytes } = require('./lib/fastcgi');
const { startNginx } = require('./lib/nginx');
const { source } = require('./lib/paths');
const { freePort } = require('./lib/ports');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const event = (topic, detail = 1) => ({ ep: [topic], e: { type: 'x', detail } });

describe('connections that a web server keeps', () => {
  let stack;
  const opened = [];

  function connect() {
    const connection = new FastCgi(stack.handlers[0].socket);
    opened.push(connection);
    return connection;
  }

  function bytesOf(body, options) {
    return postBytes(stack.publishToken, body, { keep: true, ...options });
  }

  async function postOn(connection, body = event('kept'), options) {
    await connection.send(bytesOf(body, options));
    const answer = await connection.next();
    assert.deepEqual([answer.ended, answer.status], [true, 200]);
    return answer;
  }

  /** What is sent once and has nothing to do with those that are kept. */
  async function postAlone() {
    const connection = connect();
    await connection.send(postBytes(stack.publishToken, event('alone')));
    assert.equal((await connection.answer()).status, 200);
  }

  before(async () => {
    stack = await Stack.start('kept', { handlers: 1, workers: 1, config: { publish: { threads: 2, kept_connections: 4 } } });
  });
  after(async () => {
    opened.forEach((connection) => connection.destroy());
    await stack?.stop();
  });

  test('one post after the other goes over the same connection, whatever its size and answer', async () => {
    const connection = connect();
    for (const size of [0, 100, 17_000, 300_000, 1]) {
      await postOn(connection, event('sizes', 'x'.repeat(size)), { padding: 5 });
    }
    await connection.send(bytesOf('no JSON'));
    assert.equal((await connection.next()).status, 400);
    await connection.send(bytesOf({ events: [event('batch/1'), event('batch/2')] }));
    assert.equal((await connection.next()).json.events.length, 2);
    for (const byte of bytesOf(event('pieces'))) {
      await connection.send(Buffer.from([byte]));
    }
    assert.equal((await connection.next()).status, 200);
    assert.equal(connection.isClosed, false);
    connection.destroy();
  });

  test('more of them than the worker has threads hold nobody up, and those beyond the limit close with their answer', async () => {
    const connections = [];
    while (connections.length < 4) {
      const connection = connect();
      await postOn(connection);
      connections.push(connection);
    }
    for (let round = 0; round < 3; round++) {
      await postAlone();
      await Promise.all(connections.map((connection) => postOn(connection)));
    }
    const beyond = connect();
    await beyond.send(bytesOf(event('beyond')));
    assert.equal((await beyond.answer()).status, 200);
    // nginx takes none for its next post that has something behind its answer.
    const nginx = connect();
    await nginx.send(bytesOf(event('beyond'), { software: 'nginx/1.22.1' }));
    await nginx.closed;
    const { status, rest } = await nginx.next();
    assert.deepEqual([status, rest.length], [200, 16]);

    connections[0].destroy();
    await until('there is room for another', async () => {
      const another = connect();
      await postOn(another);
      return postOn(another).then(() => true);
    });
    connections.forEach((connection) => connection.destroy());
  });

  test('what is broken on one that was kept ends it, and nothing else', async () => {
    const connection = connect();
    await postOn(connection);
    await connection.send(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    await connection.closed.catch((error) => assert.equal(error.code, 'ECONNRESET'));
    await postAlone();
  });

  test('a handler that is to end answers on all that it keeps, and ends', async () => {
    const handler = stack.startHandler();
    const connectTo = () => {
      const connection = new FastCgi(handler.socket);
      opened.push(connection);
      return connection;
    };
    await until('it publishes', async () => {
      const connection = connectTo();
      connection.closed.catch(() => {}); // it does not listen yet
      await postOn(connection);
      return true;
    });
    const [busy, idle] = [connectTo(), connectTo()];
    await postOn(idle);
    handler.signal('SIGTERM');
    let answer;
    do {
      await busy.send(bytesOf(event('last'), { software: 'nginx' })); // until the worker has heard of its end
      answer = await busy.next();
      assert.equal(answer.status, 200);
    } while (answer.rest.length === 0);
    await busy.closed;
    await idle.closed; // which nobody closes here
    assert.equal(await handler.ended, 0);
  });
});

/** Connections to a handler's socket that it has accepted, by the kernel's numbers for them (proc(5)). */
function connectionsTo(socket) {
  const rows = fs.readFileSync('/proc/net/unix', 'utf8').split('\n').map((line) => line.split(/\s+/));
  return rows.filter(([, , , , , state, , place]) => state === '03' && place === socket).map((row) => row[6]);
}

/** Posts until one connection was there after two posts; each of them has to succeed. */
async function untilOneIsKept(stack, url) {
  const statuses = new Set();
  await until('a connection is kept', async () => {
    const seen = [];
    for (let i = 0; i < 2; i++) {
      statuses.add((await stack.post(event('kept'), { url, agent: false })).status);
      seen.push(new Set(connectionsTo(stack.handlers[0].socket)));
    }
    return [...seen[0]].some((number) => seen[1].has(number));
  });
  assert.deepEqual([...statuses], [200]);
}

/** nginx with the files of deploy/ that keep connections, to the first handler of the stack. */
async function startKeepingNginx(stack) {
  const read = (name) => fs.readFileSync(path.join(source, 'deploy/nginx', name), 'utf8');
  const own = (text) =>
    text.replaceAll('/run/es-web-notify/event.sock', stack.handlers[0].socket).replaceAll('127.0.0.1:8010', `127.0.0.1:${stack.port}`);
  const site = read('es-web-notify.conf').replaceAll(...read('es-web-notify-keep.sed').match(/^s\|(.*?)\|(.*)\|$/m).slice(1));
  const port = await freePort();
  const folder = path.join(stack.folder, 'keeping');
  fs.mkdirSync(folder);
  const nginx = await startNginx(folder, port, { http: own(read('es-web-notify-upstream.conf')), server: own(site) });
  return { nginx, url: `http://127.0.0.1:${port}/notify/event` };
}

describe('nginx that keeps its connections', () => {
  let stack;
  let web;
  let client;
  before(async () => {
    stack = await Stack.start('keeping', { handlers: 1, workers: 2, config: { publish: { threads: 1 } } });
    web = await startKeepingNginx(stack);
    client = await stack.subscribe(['#']);
  });
  after(async () => {
    await client?.close();
    await web?.nginx.end();
    await stack?.stop();
  });

  test('no post starves, fails or is lost while handlers are renewed and nginx is reloaded', async () => {
    const posts = [];
    let going = true;
    async function postOn(writer) {
      for (let i = 0; going; i++) {
        const answer = await stack.post(event(`writer/${writer}`, i), { url: web.url, agent: false });
        assert.equal(answer.status, 200, `${writer}, ${i}: ${answer.status} ${answer.text}`);
        posts.push(`writer/${writer} ${i}`);
      }
    }
    const writers = Array.from({ length: 24 }, (_, writer) => postOn(writer)); // more than are kept, and than there are workers
    const done = Promise.all(writers);
    const reach = (count) => Promise.race([done, until(`${count} posts`, () => posts.length >= count)]);
    for (let round = 0; round < 3; round++) {
      await reach(posts.length + 200);
      stack.handlers[0].signal('SIGHUP');
      await reach(posts.length + 200);
      web.nginx.signal('SIGHUP');
    }
    await reach(posts.length + 200);
    going = false;
    await done;
    const [frames] = await stack.drain('keeping/sentinel', client);
    const heard = frames.filter((frame) => frame.json.ep.emitted.startsWith('writer/'));
    assert.deepEqual(heard.map((frame) => `${frame.json.ep.emitted} ${frame.json.e.detail}`).sort(), posts.sort());
  });

  test('it does keep them', () => untilOneIsKept(stack, web.url));

  test('a post of now and then finds a handler, whoever closed its connection', async () => {
    for (const pauseMs of [0, 900, 1000, 1100, 0]) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      assert.equal((await stack.post(event('rare'), { url: web.url, agent: false })).status, 200);
    }
  });
});

describe('Apache that keeps its connections', () => {
  let stack;
  let apache;
  after(async () => {
    await apache?.end();
    await stack?.stop();
  });

  const workers = () => fs.readFileSync(`/proc/${stack.handlers[0].pid}/task/${stack.handlers[0].pid}/children`, 'utf8').trim().split(' ');

  test('posts before and after the handlers are renewed', async () => {
    stack = await Stack.start('reusing', { handlers: 1, workers: 2 });
    const line = fs.readFileSync(path.join(source, 'deploy/apache/es-web-notify-redirect.conf'), 'utf8').match(/^ProxyPassMatch .*event\.sock.*$/m)[0];
    const port = await freePort();
    const own = line.replace('/run/es-web-notify/event.sock', stack.handlers[0].socket);
    apache = await startApache(stack.folder, port, `${own} enablereuse=on`);
    const url = `http://127.0.0.1:${port}/notify/event`;
    await untilOneIsKept(stack, url);
    const old = workers();
    stack.handlers[0].signal('SIGHUP');
    await until('all workers are new ones', () => workers().every((pid) => !old.includes(pid)));
    await untilOneIsKept(stack, url);
  });
});
