'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, beforeEach, describe, test } = require('node:test');
const { FastCgi, STDIN, postBytes, record } = require('./lib/fastcgi');
const { signedHeaders } = require('./lib/signing');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

const post = (detail, more = {}) => ({ ep: ['a'], e: { type: 'x', detail }, ...more });
const count = (n) => Array.from({ length: n }, (_, i) => i);

/** As the lines of application/x-ndjson. */
function sendLines(stack, lines, options = {}) {
  return stack.post(lines.join('\n'), { headers: { 'Content-Type': 'application/x-ndjson' }, ...options });
}

async function details(stack, client) {
  const [frames] = await stack.drain('sentinel', client);
  return frames.filter((frame) => frame.json.e.type === 'x').map((frame) => frame.json.e.detail);
}

describe('batches', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('batch', { handlers: 2, config: { publish: { max_events: 500, max_body: '20k', max_batch_body: '200k' } } });
    client = await stack.subscribe(['#']);
  });
  beforeEach(() => details(stack, client)); // none of another test's
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  test('each post is answered by itself, in order, as if it had come alone', async () => {
    const alone = await stack.post(post('alone'));
    const answer = await stack.post({ events: [post(1), { ep: [], e: { type: 'x' } }, post(2, { id: 'two' }), { ep: ['@USER@'], e: { type: 'x' } }, post(2, { id: 'two' })] });
    assert.equal(answer.status, 200, answer.text);
    const events = answer.json.events;
    assert.deepEqual(events.map((event) => event.status), [200, 400, 200, 403, 200]);
    assert.deepEqual(Object.keys(events[0]), ['status', ...Object.keys(alone.json)]);
    assert.equal(events[1].error, 'Event Point missing');
    assert.equal(events[1].detail, 'the array is empty');
    assert.equal(events[4].ep[0].duplicate, true);
    assert.equal(events[4].id, events[2].id);
    assert.deepEqual(await details(stack, client), ['alone', 1, 2]);
  });

  test('lines are a batch by their Content-Type', async () => {
    const answer = await sendLines(stack, [JSON.stringify(post('é')), '', ' ', '{', JSON.stringify(post(2))], {
      headers: { 'Content-Type': 'application/x-ndjson; charset=utf-8' },
    });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json.events.map((event) => [event.status, event.error]), [[200, undefined], [400, 'Invalid JSON in body'], [200, undefined]]);
    assert.deepEqual(await details(stack, client), ['é', 2]);
  });

  test('hundreds keep their order, and no more than may come are taken', async () => {
    const whole = await stack.post({ events: count(500).map((i) => post(i)) });
    assert.equal(whole.status, 200, whole.text.slice(0, 200));
    assert.deepEqual(whole.json.events.map((event) => event.status), count(500).map(() => 200));
    assert.deepEqual(await details(stack, client), count(500));
    const more = await sendLines(stack, count(501).map((i) => JSON.stringify(post(i))));
    assert.equal(more.status, 400);
    assert.equal(more.json.error, 'Too many events in a batch');
    assert.equal(more.json.events.length, 500, 'what was published before is answered');
    assert.deepEqual(await details(stack, client), count(500));
  });

  test('an empty batch is answered with nothing', async () => {
    for (const answer of [await stack.post({ events: [] }), await sendLines(stack, [])]) {
      assert.deepEqual([answer.status, answer.json], [200, { events: [] }]);
    }
  });

  test('what is no batch any more is refused where it ends, and what came before is answered', async () => {
    const one = JSON.stringify(post(1));
    for (const [body, detail] of [
      [`{"events":[${one},`, 'it ends in the middle'],
      [`{"events":[${one}],"more":1}`, 'it should be {"events": [...]}'],
      [`{"events":[${one}]}x`, 'bytes stand behind it'],
      [`{"events":[${one},]}`, 'a post of it is missing'],
      [`{"events":[${one},${JSON.stringify(post('y'.repeat(30_000)))}]}`, 'a post of it is over [publish] max_body'],
    ]) {
      const answer = await stack.post(body);
      assert.deepEqual([answer.status, answer.json.error, answer.json.detail], [400, 'Invalid batch', detail]);
      assert.deepEqual(answer.json.events.map((event) => event.status), [200], body.slice(0, 80));
    }
    assert.deepEqual(await details(stack, client), [1, 1, 1, 1, 1]);
    const none = await stack.post('{"events":7}');
    assert.deepEqual([none.status, none.json.error], [400, 'Invalid object'], 'one post, whose e is missing');
  });

  test('a batch may be larger than a post, and has a limit of its own', async () => {
    const large = post('z'.repeat(15_000));
    assert.equal((await stack.post({ events: [large, large, large] })).status, 200);
    assert.deepEqual((await details(stack, client)).length, 3);
    assert.equal((await stack.post({ events: count(20).map(() => large) })).status, 413);
    assert.deepEqual(await details(stack, client), []);
    assert.equal((await stack.post(post('z'.repeat(25_000)))).status, 413, 'one post is no larger than before');
  });

  test('who may not publish is told nothing of it', async () => {
    assert.equal((await stack.post({ events: [post(1)] }, { token: 'wrong' })).status, 404);
    assert.deepEqual(await details(stack, client), []);
  });

  test('a daemon that is away is told for each event', async () => {
    const other = await Stack.start('batch-down', { handlers: 1 });
    try {
      await other.endTaking();
      const answer = await other.post({ events: [post(1), post(2)] });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json.events.map((event) => [event.status, event.ep[0].result]), [[503, 'unacknowledged'], [503, 'unacknowledged']]);
    } finally {
      await other.stop();
    }
  });

  // So many posts go to the daemon together, or a MiB of long ones. The handler reads 64 KiB at a time, and has these before the last record.
  const groups = [['short', { posts: 200, padding: 2500, together: 128 }], ['long', { posts: 60, padding: 30_000, together: 35 }]];
  for (const [name, { posts: number, padding, together }] of groups) test(`behind one that the daemon did not take no other is published, so that order is kept (${name} ones)`, async () => {
    const other = await Stack.start('batch-order', { handlers: 1, workers: 1, config: { publish: { time_limit: '300ms', max_batch_body: '2M' } } });
    const [handler] = other.handlers;
    const connection = new FastCgi(handler.socket);
    try {
      const hears = await other.subscribe(['#']);
      const padded = (i) => ({ type: 'x', detail: i, dropped: 'x'.repeat(padding) });
      const posts = count(number).map((i) => ({ ...post(i, { id: `order-${i}` }), e: padded(i) }));
      const body = JSON.stringify({ events: posts });
      const last = body.indexOf('"dropped"', body.length - 65_000);
      other.taker.signal('SIGSTOP');
      const first = postBytes(other.publishToken, body.slice(0, last), { announced: body.length });
      await connection.send(first.subarray(0, -8)); // without the end of the body
      await handler.untilLog(/does not take events/);
      other.taker.signal('SIGCONT');
      await other.look('/state'); // it is awake
      await connection.send(Buffer.concat([record(STDIN, 1, Buffer.from(body.slice(last))), record(STDIN, 1)]));
      const { json } = await connection.answer();
      const answers = json.events.map(({ status, error }) => [status, error]);
      const held = (answer) => answer[1] === 'An event before it was not taken';
      assert.deepEqual([...new Set(answers.map(([status]) => status))], [503]);
      assert.deepEqual([answers.length, answers.findIndex(held)], [number, together]);
      assert.ok(answers.slice(together).every(held));
      await until('all are taken', async () => (await other.post({ events: posts })).json?.events.every(({ status }) => status === 200));
      assert.deepEqual(await details(other, hears), count(number));
      await hears.close();
    } finally {
      other.taker.signal('SIGCONT');
      connection.destroy();
      await other.stop();
    }
  });
});

const SECRET = 'the secret of the shop, 0123456789';

/** The file of publishers, and the secret that it names. */
function prepare(stack) {
  stack.writeTokens('shop.key', [SECRET]);
  const text = `[shop]\nsecret_file = shop.key\ntopics = #\nsigned = yes\n`;
  fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), text, { mode: 0o600 });
  stack.config.publish = { ...stack.config.publish, publishers_file: path.join(stack.folder, 'publishers.conf') };
}

for (const name of Object.keys(servers)) {
  describe(`batches behind ${name}`, () => {
    let web;
    let stack;
    let url;
    let client;
    before(async () => {
      web = await BehindWebServer.start(name, { prepare });
      ({ stack } = web);
      url = `${web.url}event`;
      client = await stack.subscribe(['#']);
    });
    beforeEach(() => details(stack, client));
    after(async () => {
      await client?.close();
      await web?.stop();
    });

    test('hundreds of lines, and an object, arrive in order', async () => {
      const lines = await sendLines(stack, count(300).map((i) => JSON.stringify(post(i))), { url });
      assert.deepEqual([lines.status, lines.json?.events.length], [200, 300], lines.text.slice(0, 200));
      const object = await stack.post({ events: count(300).map((i) => post(i)) }, { url });
      assert.deepEqual([object.status, object.json?.events.length], [200, 300], object.text.slice(0, 200));
      assert.deepEqual(await details(stack, client), [...count(300), ...count(300)]);
    });

    test('one as large as [publish] max_batch_body comes through, and a larger one is 413', async () => {
      // Nobody hears them.
      const large = JSON.stringify({ ep: [{ topic: 'large', private: true }], e: { type: 'large', detail: 'x'.repeat(990_000) } });
      const object = (posts) => `{"events":[${posts.join(',')}]}`;
      const whole = object(count(16).map(() => large));
      const send = (body) => stack.post(body, { url, token: null, headers: { Authorization: `Bearer ${stack.publishToken}` } });
      const most = await send(`${whole}${' '.repeat(16_000_000 - whole.length)}`);
      assert.equal(most.status, 200, most.text.slice(0, 200));
      assert.deepEqual(most.json.events.map((event) => event.status), count(16).map(() => 200));
      for (const size of [16_000_001, 18_000_000]) {
        const more = await send(`${whole}${' '.repeat(size - whole.length)}`);
        assert.deepEqual([more.status, typeof more.json?.error], [413, 'string'], `${size}: ${more.text.slice(0, 200)}`);
      }
    });

    if (name.startsWith('nginx'))
      test('one of a thousand events is kept off the disk', async () => {
        const events = count(1000).map((i) => post('x'.repeat(150) + i));
        // With the token in the query nothing would be logged.
        const headers = { Authorization: `Bearer ${stack.publishToken}` };
        const written = () => fs.readFileSync(path.join(stack.folder, 'web', 'nginx.log'), 'utf8').split('temporary file').length;
        const before = written();
        assert.equal((await stack.post({ events }, { url, token: null, headers })).status, 200);
        assert.equal((await details(stack, client)).length, 1000);
        assert.equal(written(), before);
      });

    test('one with a signature is published once, however often it is sent', async () => {
      const body = JSON.stringify({ events: [post(1), post(2)] });
      const headers = signedHeaders({ url, body, key: SECRET, keyid: 'shop' });
      const send = (text) => stack.post(text, { url, token: null, headers });
      const first = await send(body);
      assert.deepEqual(first.json?.events?.map((event) => event.status), [200, 200], first.text);
      const again = await send(body);
      assert.deepEqual(again.json?.events?.map((event) => event.ep[0].duplicate), [true, true], again.text);
      assert.equal((await send(body.replace('1', '7'))).status, 404, 'one byte of it changed');
      assert.deepEqual(await details(stack, client), [1, 2]);
    });

    test('the position is told, also to who signs the question', async () => {
      const { id } = (await stack.post(post(1), { url })).json;
      const ask = (options) => stack.post('', { method: 'GET', url, ...options });
      assert.deepEqual([(await ask()).status, (await ask()).json], [200, { id }]);
      const headers = signedHeaders({ method: 'GET', url, body: '', key: SECRET, keyid: 'shop' });
      assert.deepEqual((await ask({ token: null, headers })).json, { id });
      const ofPost = signedHeaders({ url, body: '', key: SECRET, keyid: 'shop' });
      assert.equal((await ask({ token: null, headers: ofPost })).status, 404, 'signed for something else');
    });
  });
}
