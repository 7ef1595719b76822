'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { FastCgi, postBytes, record, STDIN } = require('./lib/fastcgi');
const { pause, until } = require('./lib/wait');
const { Stack } = require('./lib/stack');

const event = (topic, detail = 1) => ({ ep: [topic], e: { type: 'x', detail } });

/** A file may be closed since it was listed. */
function readLink(file) {
  try {
    return fs.readlinkSync(file);
  } catch (error) {
    assert.equal(error.code, 'ENOENT');
    return undefined;
  }
}

// One worker: whatever holds it is seen.
describe('posts that come to one handler as FastCGI', () => {
  let stack;
  let client;
  const opened = [];

  function connect() {
    const connection = new FastCgi(stack.handlers[0].socket);
    opened.push(connection);
    return connection;
  }

  async function post(bytes) {
    const connection = connect();
    await connection.send(bytes);
    return connection.answer();
  }

  before(async () => {
    stack = await Stack.start('fastcgi', { handlers: 1, workers: 1, config: { publish: { threads: 3 } } });
    client = await stack.subscribe(['#']);
  });
  after(async () => {
    opened.forEach((connection) => connection.destroy());
    await client?.close();
    await stack?.stop();
  });

  test('many at once are published together, and each gets the answer to its own', async () => {
    const topics = Array.from({ length: 100 }, (_, i) => `many/${i}`);
    const bodies = topics.map((topic, i) => (i % 10 === 3 ? { ep: [''], e: { type: 'x' } } : event(topic, i)));
    const answers = await Promise.all(bodies.map((body) => post(postBytes(stack.publishToken, body))));
    answers.forEach((answer, i) => {
      assert.equal(answer.ended, true);
      assert.equal(answer.status, i % 10 === 3 ? 400 : 200);
      if (answer.status === 200) {
        assert.deepEqual([answer.json.ep[0].topic, answer.json.receivers], [topics[i], 1]);
      }
    });
    const [frames] = await stack.drain('many/sentinel', client);
    const heard = frames.filter((frame) => topics.includes(frame.json.ep.emitted));
    assert.deepEqual(
      new Set(heard.map((frame) => `${frame.json.ep.emitted} ${frame.json.e.detail}`)),
      new Set(topics.map((topic, i) => `${topic} ${i}`).filter((_, i) => i % 10 !== 3)),
    );
    assert.equal(heard.length, 90);
  });

  test('requests that stall in any place hold nobody up, as long as there is a thread', async () => {
    const bytes = postBytes(stack.publishToken, event('stalled'));
    const stalled = [connect(), connect()];
    await stalled[0].send(bytes.subarray(0, 40));
    await stalled[1].send(bytes.subarray(0, bytes.length - 9)); // all but the end of the body
    await pause(50); // so that they come before those that must not wait for them
    for (let i = 0; i < 20; i++) {
      assert.equal((await post(postBytes(stack.publishToken, event('past')))).status, 200);
    }
    await stalled[0].send(bytes.subarray(40));
    await stalled[1].send(bytes.subarray(bytes.length - 9));
    for (const connection of stalled) {
      assert.equal((await connection.answer()).status, 200);
    }
  });

  test('a request in pieces of one byte is answered as a whole one', async () => {
    const connection = connect();
    for (const byte of postBytes(stack.publishToken, event('pieces'), { padding: 3 })) {
      await connection.send(Buffer.from([byte]));
    }
    const answer = await connection.answer();
    assert.deepEqual([answer.status, answer.json.receivers], [200, 1]);
  });

  // As Apache does on a busy machine: it says by itself that nothing more comes.
  test('a connection stays open until the web server has said all, however long that takes', async () => {
    const bytes = postBytes(stack.publishToken, event('slow/end', 'said'));
    const connection = connect();
    await connection.send(bytes.subarray(0, bytes.length - 8));
    await client.until('it is delivered', () => client.frames.some(({ json }) => json.ep.emitted === 'slow/end'));
    await pause(100); // libfcgi's own patience are 10 ms
    assert.equal(connection.isClosed, false);
    await connection.send(bytes.subarray(bytes.length - 8));
    assert.equal((await connection.answer()).status, 200);
  });

  test('bodies of any size are answered', async () => {
    for (const size of [0, 100, 8000, 16_000, 17_000, 300_000]) {
      const answer = await post(postBytes(stack.publishToken, event('sizes', 'x'.repeat(size)), { padding: 7 }));
      assert.deepEqual([size, answer.status, answer.json?.receivers], [size, 200, 1]);
    }
  });

  test('an answer longer than what a socket takes at once arrives', async () => {
    const ep = Array.from({ length: 1000 }, (_, i) => `${'long/'.repeat(40)}${i}`);
    const answer = await post(postBytes(stack.publishToken, { ep, e: { type: 'x' } }));
    assert.deepEqual([answer.status, answer.json.ep.length, answer.json.ep[999].topic], [200, 1000, ep[999]]);
  });

  test('a body shorter than announced is 400, and a longer one is read no further', async () => {
    const body = JSON.stringify(event('length'));
    assert.equal((await post(postBytes(stack.publishToken, body, { announced: body.length + 1 }))).status, 400);
    assert.equal((await post(postBytes(stack.publishToken, `${body}   `, { announced: body.length }))).status, 200);
  });

  // As under SIGSTOP, or in a debugger: what it was waiting for has come meanwhile.
  test('a handler that stands still in the middle of a request answers it when it goes on', async () => {
    const bytes = postBytes(stack.publishToken, event('stood', 'x'.repeat(100_000)));
    const [worker] = stack.handlers[0].children();
    const stateOf = (thread) => fs.readFileSync(`/proc/${worker}/task/${thread}/stat`, 'utf8').replace(/^.*\) /, '')[0];
    const allAre = (state) => fs.readdirSync(`/proc/${worker}/task`).every((thread) => stateOf(thread) === state);
    const openFiles = () => fs.readdirSync(`/proc/${worker}/fd`).map((file) => readLink(`/proc/${worker}/fd/${file}`));
    for (const part of [0, 20, 100, 40_000, bytes.length - 9]) {
      const before = openFiles();
      const connection = connect();
      await connection.send(bytes.subarray(0, part));
      await until('it is taken, and the rest waited for', () => openFiles().some((file) => !before.includes(file)) && allAre('S'));
      process.kill(worker, 'SIGSTOP');
      try {
        await until('it stands', () => allAre('T'));
        await Promise.race([connection.send(bytes.subarray(part)), pause(100)]);
      } finally {
        process.kill(worker, 'SIGCONT');
      }
      const answer = await connection.answer();
      assert.deepEqual([part, answer.status, answer.json?.receivers], [part, 200, 1]);
    }
  });

  test('what is no request is closed without an answer', async () => {
    const bytes = postBytes(stack.publishToken, event('broken'));
    const broken = [
      Buffer.from('GET / HTTP/1.0\r\n\r\n'),
      record(STDIN, 1), // an end without a beginning
      Buffer.concat([record(STDIN, 7), bytes]),
      bytes.subarray(0, 12), // begun, and then hung up
    ];
    for (const [index, part] of broken.entries()) {
      const connection = connect();
      await connection.send(part);
      connection.socket.end();
      const answer = await connection.answer().catch((error) => assert.equal(error.code, 'ECONNRESET'));
      assert.ok(!answer?.ended, `broken request ${index}`);
    }
    assert.equal((await post(bytes)).status, 200);
  });
});
