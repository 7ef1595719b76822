'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { startNginx } = require('./lib/nginx');
const { freePort } = require('./lib/ports');
const { Program } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { programs, tool } = require('./lib/paths');
const { runCgi } = require('./lib/cgi');

const EVENT = { ep: ['t'], e: { type: 'x', detail: 1 } };

describe('who may publish', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('token', { handlers: 1 });
    stack.writeTokens('publish.token', ['# the old one and the new one', stack.publishToken, '', 'second-token', 'base+64/token==']);
    stack.handlers[0].signal('SIGHUP');
    await until('every worker knows the tokens', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => stack.post('{', { token: 'second-token', agent: false })));
      return answers.every((answer) => answer.status === 400);
    });
    client = await stack.subscribe(['#']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  /** Nothing but the sentinel has arrived. */
  async function nothingCame() {
    const [frames] = await stack.drain('sentinel', client);
    assert.deepEqual(frames.filter((frame) => frame.json.e.type === 'x'), []);
  }

  test('a missing or wrong token is 404, like a path that does not exist', async () => {
    const wrong = [
      { token: null },
      { token: '' },
      { token: 'wrong' },
      { token: stack.publishToken.slice(0, -1) },
      { token: `${stack.publishToken}x` },
      { token: stack.publishToken.toUpperCase() },
      { token: '# the old one and the new one' },
      { token: stack.adminToken },
      { token: null, headers: { Authorization: 'Bearer wrong' } },
      { token: null, headers: { Authorization: 'Bearer ' } },
      { token: null, headers: { Authorization: `Basic ${stack.publishToken}` } },
      { token: null, headers: { Authorization: stack.publishToken } },
    ];
    const refusals = () => stack.handlers[0].output().match(/post refused reason="Not found" why=.+ topic=- by=- from=127\.0\.0\.1/g)?.length ?? 0;
    const before = refusals();
    for (const options of wrong) {
      const answer = await stack.post(EVENT, options);
      assert.equal(answer.status, 404, JSON.stringify(options));
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      await until('the log says so', () => refusals() > before);
      const bad = await stack.post('{', options);
      assert.equal(bad.status, 404, 'whatever the body is');
    }
    await nothingCame();
  });

  test('every token of the file is good, in the query or as Bearer', async () => {
    for (const options of [
      { token: stack.publishToken },
      { token: 'second-token' },
      { token: null, headers: { Authorization: `Bearer ${stack.publishToken}` } },
      { token: null, headers: { authorization: `bearer ${stack.publishToken}` } },
      { token: stack.publishToken, headers: { Authorization: 'Bearer of-a-gateway' } },
      { query: '?token=base+64/token==' },
      { query: '?token=base%2B64%2Ftoken%3D%3D' },
    ]) {
      const answer = await stack.post(EVENT, options);
      assert.equal(answer.status, 200, `${JSON.stringify(options)}: ${answer.text}`);
      await client.takeUntil('x');
    }
  });

  test('OPTIONS is answered without a token, other methods are not', async () => {
    const answer = await stack.post('', {
      method: 'OPTIONS',
      token: null,
      headers: { 'Access-Control-Request-Headers': 'content-type,traceparent' },
    });
    assert.match(answer.headers['access-control-allow-headers'], /, content-type,traceparent$/);
    assert.ok([200, 204].includes(answer.status), String(answer.status));
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['access-control-allow-methods'], /\bPOST\b/);
    assert.match(answer.headers['access-control-allow-headers'], /authorization/i);
    for (const method of ['PUT', 'DELETE']) {
      const other = await stack.post(EVENT, { method });
      assert.ok(other.status >= 400 && other.status < 500, `${method}: ${other.status}`);
      assert.equal(other.headers['access-control-allow-origin'], '*');
    }
    await nothingCame();
  });
});

describe('what is refused delivers nothing', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('bad', {
      handlers: 1,
      config: {
        fanout: { max_topic_length: 100, max_topic_levels: 5 },
        publish: { max_body: '64k', max_depth: 20, max_event_points: 10 },
      },
    });
    client = await stack.subscribe(['#', '@CONNECTION@/x']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  async function refused(body, status, error) {
    const what = (Buffer.isBuffer(body) ? body.toString('latin1') : body).slice(0, 200);
    const answer = await stack.post(body);
    assert.equal(answer.status, status, `${what}: ${answer.status} ${answer.text}`);
    assert.equal(answer.headers['access-control-allow-origin'], '*', what);
    if (error) {
      assert.equal(answer.json.error, error, what);
      assert.equal(answer.reason, error, what);
    } else {
      assert.ok(typeof answer.json?.error === 'string' || Array.isArray(answer.json?.ep), `${what}: ${answer.text}`);
    }
    const [frames] = await stack.drain('sentinel', client);
    const events = frames.filter((frame) => !['connected', 'available'].includes(frame.json.e.type));
    assert.deepEqual(events, [], `${what} delivered something`);
  }

  const e = '"e":{"type":"x"}';
  const table = {
    'Invalid object': [
      '[]',
      '7',
      'null',
      '"x"',
      '{}',
      '{"ep":["t"]}',
      '{"ep":["t"],"e":null}',
      '{"ep":["t"],"e":"x"}',
      '{"ep":["t"],"e":[]}',
      '{"ep":["t"],"e":{}}',
      '{"ep":["t"],"e":{"type":7}}',
      '{"ep":["t"],"e":{"detail":7}}',
    ],
    "Event Point can't be null": [`{"ep":[null],${e}}`, `{"ep":["t",null],${e}}`],
    'Topic missing': [`{"ep":[{}],${e}}`, `{"ep":["t",{"whisper":1}],${e}}`],
    'Topic should be a string': [`{"ep":[{"topic":7}],${e}}`, `{"ep":["t",{"topic":["t"]}],${e}}`],
    'Invalid connection id in whisper': [
      `{"ep":[{"topic":"t","whisper":"1"}],${e}}`,
      `{"ep":[{"topic":"t","whisper":1.5}],${e}}`,
      `{"ep":[{"topic":"t","whisper":true}],${e}}`,
      `{"ep":["t",{"topic":"t","whisper":[1]}],${e}}`,
      `{"ep":[{"topic":"t","whisper":{}}],${e}}`,
    ],
  };
  for (const [error, bodies] of Object.entries(table)) {
    test(error, async () => {
      for (const body of bodies) {
        await refused(body, 400, error);
      }
    });
  }

  test('what is no JSON', async () => {
    for (const body of ['', ' ', '{', `{"ep":["t"],${e}`, `{"ep":["t"],${e}} x`, `{"ep":["t",],${e}}`, 'x']) {
      await refused(body, 400);
    }
    for (const detail of ['01', '1.', '.5', '+1', 'NaN', 'undefined', "'x'", '"\t"', '"\\x41"', '"\\u12"', '1e', '--1']) {
      await refused(`{"ep":["t"],"e":{"type":"x","detail":${detail}}}`, 400);
    }
  });

  test('invalid UTF-8, wherever it is', async () => {
    const bad = [[0xff], [0xc3, 0x28], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]];
    for (const bytes of bad) {
      for (const [start, end] of [
        ['{"ep":["t', `"],${e}}`],
        ['{"ep":["t"],"e":{"type":"x', '"}}'],
        ['{"ep":["t"],"e":{"type":"x","detail":"', '"}}'],
        ['{"ep":["t"],"x', `":1,${e}}`],
      ]) {
        await refused(Buffer.concat([Buffer.from(start), Buffer.from(bytes), Buffer.from(end)]), 400);
      }
    }
  });

  test('topics that are none', async () => {
    for (const topic of ['', 'a\\u0000b', '\\u0000', 'x'.repeat(101), 'a/b/c/d/e/f', '\\ud800']) {
      await refused(`{"ep":["${topic}"],${e}}`, 400);
      await refused(`{"ep":["t",{"topic":"${topic}"}],${e}}`, 400);
    }
  });

  test('nesting beyond the limit, a little or a lot', async () => {
    for (const depth of [19, 20, 30_000]) {
      await refused(`{"ep":["t"],"e":{"type":"x","detail":${'['.repeat(depth)}${']'.repeat(depth)}}}`, 400);
    }
    await refused('['.repeat(60_000), 400);
    await refused('{"a":'.repeat(10_000), 400);
  });

  test('event points that are no list, none, or too many', async () => {
    for (const ep of ['', '"ep":"t",', '"ep":{"topic":"t"},', '"ep":null,', '"ep":7,', '"ep":[],', '"ep":[7],', '"ep":[["t"]],']) {
      await refused(`{${ep}${e}}`, 400);
    }
    await refused(JSON.stringify({ ep: Array(11).fill('t'), e: { type: 'x' } }), 400);
  });

  test('an id that is none', async () => {
    for (const id of ['""', 'null', '[]', '1.5', 'true', `"${'x'.repeat(10_000)}"`]) {
      await refused(`{"id":${id},"ep":["t"],${e}}`, 400);
    }
  });

  test('one bad event point among good ones', async () => {
    for (const bad of ['null', '7', '{}', '""', '{"topic":""}', '{"topic":"t","whisper":"x"}']) {
      await refused(`{"ep":["t",${bad},"u"],${e}}`, 400);
      await refused(`{"ep":["t","u",${bad}],${e}}`, 400);
    }
    await refused(`{"ep":["t","@CONNECTION@/x","u"],${e}}`, 403);
  });

  test('a bound event without a valid bind key', async () => {
    await refused(`{"ep":["t",{"topic":"t","binded":true}],${e}}`, 400);
    await refused(`{"ep":["t",{"topic":"t","bound":true}],${e}}`, 400);
    await refused(`{"ep":["t",{"topic":"t","whsiper":7}],${e}}`, 400);
    await refused(`{"ep":["t",{"topic":"t","too":["ana"]}],${e}}`, 400);
    await refused(`{"bind_key":"x","ep":[{"topic":"t","binded":true}],${e}}`, 400);
  });

  test('a body beyond the limit is 413, one at the limit is not', async () => {
    const body = (length) => {
      const frame = JSON.stringify({ ep: ['sentinel'], e: { type: 'full', detail: '' } });
      return frame.replace('""', `"${'x'.repeat(length - frame.length)}"`);
    };
    await refused(body(65_537), 413);
    await refused(body(3_000_000), 413);
    const answer = await stack.post(body(65_536));
    assert.equal(answer.status, 200, answer.text);
    await client.takeUntil('full');
  });
});

describe('the same post twice', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('twice', { handlers: 2, workers: 1 });
    client = await stack.subscribe(['a', 'b']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  for (const [where, second] of [
    ['the same handler process', 0],
    ['another handler process', 1],
  ]) {
    test(`is delivered once, at ${where}`, async () => {
      const body = { id: `order-${second}`, ep: ['a', 'b'], e: { type: 'x' } };
      const first = await stack.post(body, { handler: 0 });
      assert.equal(first.status, 200);
      const again = await stack.post(body, { handler: second });
      assert.equal(again.status, 200, again.text);
      const points = ({ json }) => json.ep.map(({ topic, result, receivers }) => [topic, result, receivers]);
      assert.equal(again.json.id, first.json.id, 'the answer is the one of the first time');
      assert.deepEqual(points(again), points(first));
      assert.deepEqual(points(first), [['a', 'sent', 1], ['b', 'sent', 1]]);
      const [frames] = await stack.drain('a', client);
      const events = frames.filter((frame) => frame.json.e.type === 'x');
      assert.deepEqual(events.map((frame) => frame.json.ep.emitted), ['a', 'b']);
    });
  }

  test('with another id, or with none, is delivered again', async () => {
    for (const id of ['other', 'another', undefined, undefined]) {
      assert.equal((await stack.post({ id, ep: ['a'], e: { type: 'x' } })).status, 200);
    }
    const [frames] = await stack.drain('a', client);
    assert.equal(frames.filter((frame) => frame.json.e.type === 'x').length, 4);
  });

  test('at the same moment at both handlers, many times', async () => {
    const ids = Array.from({ length: 200 }, (_, i) => `moment-${i}`);
    await Promise.all(
      ids.map(async (id) => {
        const body = { id, ep: ['a'], e: { type: 'moment', detail: id } };
        const answers = await Promise.all([0, 1].map((handler) => stack.post(body, { handler })));
        assert.deepEqual(answers.map((answer) => answer.status), [200, 200]);
        assert.equal(answers[0].json.id, answers[1].json.id);
      }),
    );
    const [frames] = await stack.drain('a', client);
    const details = frames.filter((frame) => frame.json.e.type === 'moment').map((frame) => frame.json.e.detail);
    assert.deepEqual(details.sort(), ids.sort());
  });
});

describe('the ways to run the handler', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('ways', { handlers: 1 });
    client = await stack.subscribe(['t']);
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  test('plain CGI', async () => {
    const good = await runCgi(stack.file, { query: `token=${stack.publishToken}`, body: JSON.stringify(EVENT) });
    assert.deepEqual([good.code, good.status, good.json.receivers], [0, 200, 1], good.text + good.stderr);
    await client.takeUntil('x');
    const bearer = await runCgi(stack.file, {
      env: { HTTP_AUTHORIZATION: `Bearer ${stack.publishToken}` },
      body: JSON.stringify(EVENT),
    });
    assert.equal(bearer.status, 200);
    await client.takeUntil('x');
    const wrong = await runCgi(stack.file, { query: 'token=wrong', body: JSON.stringify(EVENT) });
    assert.equal(wrong.status, 404);
    const bad = await runCgi(stack.file, { query: `token=${stack.publishToken}`, body: '{"ep":[null],"e":{"type":""}}' });
    assert.deepEqual([bad.status, bad.reason], [400, "Event Point can't be null"]);
  });

  /** Posts through a nginx of its own to a handler on a TCP port. */
  async function postThrough(handler, port) {
    const folder = `${stack.folder}/${handler.name}`;
    fs.mkdirSync(folder);
    const webPort = await freePort();
    const nginx = await startNginx(folder, webPort, {
      server: `
location = / { return 204; }
location = /n/event { include /etc/nginx/fastcgi_params; fastcgi_pass 127.0.0.1:${port}; }`,
    });
    const url = `http://127.0.0.1:${webPort}/n/event`;
    await handler.until('it answers', async () => (await stack.post(EVENT, { url })).status === 200);
    const [frames] = await stack.drain('t', client);
    assert.equal(frames.some((frame) => frame.json.e.type === 'x'), true);
    assert.equal(await nginx.end(), 0);
    assert.equal(await handler.end(), 0);
  }

  test('FastCGI on descriptor 0, as spawn-fcgi starts it', async () => {
    const port = await freePort();
    const listen = ['-n', '-a', '127.0.0.1', '-p', String(port)];
    const command = [tool('spawn-fcgi', 'spawn-fcgi'), ...listen, '--', programs.event, '--config', stack.file];
    await postThrough(new Program('spawned', command, { log: `${stack.folder}/spawned.log` }), port);
  });

  test('by itself, on a TCP port', async () => {
    const port = await freePort();
    const command = [programs.event, '--config', stack.file, '--listen', `127.0.0.1:${port}`, '--workers', '1'];
    await postThrough(new Program('alone', command, { log: `${stack.folder}/alone.log` }), port);
  });
});

test('a topic that only the daemon finds too long is said to be, and is not tried again', async () => {
  const stack = await Stack.start('narrow', { handlers: 1, config: { publish: { time_limit: '20s' } } });
  try {
    // The handlers go on with what they have read.
    stack.writeConfig({ fanout: { max_topic_length: 30 } });
    await stack.daemon.end();
    await stack.startDaemon();
    const client = await stack.subscribe(['#']);
    await stack.publishInTheEnd('short', 'ready');
    const answer = await stack.post({ ep: ['short', 'x'.repeat(31)], e: { type: 'both' } });
    assert.equal(answer.status, 422, answer.text);
    assert.equal(answer.json.error, "The topic is over the daemon's limits");
    assert.deepEqual(answer.json.ep.map(({ result }) => result), ['sent', "over the daemon's limits"]);
    await client.takeUntil('both');
    const asked = () => (stack.daemon.output().match(/over the daemon's limits/g) ?? []).length;
    await until('the daemon has said so', () => asked() > 0);
    const before = asked(); // more than once when the daemon was slow to say so
    await stack.publish('short', 'later');
    await client.takeUntil('later');
    assert.equal(asked(), before, 'not asked again once it was said');
    await client.close();
  } finally {
    await stack.stop();
  }
});
