'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const STREAM_HEADERS = {
  'Transfer-Encoding': 'chunked',
  'Content-Type': 'text/plain;charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
  'Access-Control-Allow-Origin': '*',
  'Cache-Control': 'no-cache, no-store, max-age=0, must-revalidate',
  Pragma: 'no-cache',
};
const HARMLESS_HEADERS = ['Connection', 'Date', 'Keep-Alive', 'Server', 'X-Accel-Buffering'];

function pairs(rawHeaders) {
  const headers = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    assert.equal(rawHeaders[i] in headers, false, `header ${rawHeaders[i]} twice`);
    headers[rawHeaders[i]] = rawHeaders[i + 1];
  }
  return headers;
}

describe('subscribing', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('sub', { config: { fanout: { keep_alive: '1s', max_topics: 5 } } });
  });
  after(() => stack?.stop());

  test('the answer has exactly the headers of the contract', async () => {
    const subscriber = await stack.subscribe(['a']);
    const headers = pairs(subscriber.rawHeaders);
    for (const name of HARMLESS_HEADERS) {
      delete headers[name];
    }
    assert.deepEqual(headers, STREAM_HEADERS);
    await subscriber.close();
  });

  test('the first frame says connected, with a connection id and a secret of its own', async () => {
    const clients = [await stack.subscribe(['a']), await stack.subscribe({ ep: ['a'], clid: 'x' })];
    for (const client of clients) {
      const { json } = client.frames[0];
      assert.deepEqual(json.ep, { requested: '@SERVER@', emitted: '@SERVER@' });
      assert.equal(json.e.type, 'connected');
      assert.ok(Number.isSafeInteger(json.iat) && Math.abs(json.iat - Date.now()) < 60_000, `iat ${json.iat}`);
      assert.ok(Number.isSafeInteger(client.connid) && client.connid > 0, `connid ${client.connid}`);
      assert.equal(typeof client.secret, 'string');
      assert.ok(client.secret.length >= 22, '128 bits need 22 characters or more');
      assert.equal(json.e.detail.timeout, 3_600_000);
    }
    assert.notEqual(clients[0].connid, clients[1].connid);
    assert.notEqual(clients[0].secret, clients[1].secret);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('available follows for each requested presence topic, counted as a string', async () => {
    const others = [
      await stack.subscribe({ ep: ['a'], clid: 'casa' }),
      await stack.subscribe({ ep: ['a'], clid: 'casa' }),
    ];
    const topics = ['@CONNECTION@/casa', 'b', '@CONNECTION@/nobody'];
    const client = await stack.subscribe(topics);
    await client.until('two more frames', () => client.frames.length >= 3);
    assert.deepEqual(
      client.frames.slice(1).map((frame) => [frame.json.ep, frame.json.e]),
      [
        [
          { requested: '@CONNECTION@/casa', emitted: '@CONNECTION@/casa' },
          { type: 'available', detail: { clid_instances: '2' } },
        ],
        [
          { requested: '@CONNECTION@/nobody', emitted: '@CONNECTION@/nobody' },
          { type: 'available', detail: { clid_instances: '0' } },
        ],
      ],
    );
    await Promise.all([client, ...others].map((each) => each.close()));
  });

  test('an idle stream gets the empty frame again and again, never too early', async () => {
    const began = Date.now();
    const client = await stack.subscribe(['idle']);
    await client.until('three keep-alives', () => client.keepAlives >= 3);
    assert.ok(Date.now() - began >= 2700, 'three seconds of silence take three seconds');
    assert.equal(client.frames.length, 1);
    await client.close();
  });

  test('the empty frame is sent as it is written in the contract', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('POST', '/', { body: '{"ep":["a"]}' }));
    const head = await raw.head();
    assert.equal(head.status, 200);
    const { text } = await raw.chunks((all) => all.includes("''0''"));
    assert.match(text, /^''\d+''\{.*\}\s*''0''\s*$/s);
    raw.destroy();
  });

  test('topics may be strings or objects, and there may be none', async () => {
    for (const ep of [['a', { topic: 'b' }, { topic: 'c', binded: false }], []]) {
      await (await stack.subscribe({ ep })).close();
    }
    await (await stack.subscribe({ ep: ['+', '+/a', 'a/#', '#'] })).close();
  });

  test('no Content-Type is needed, and any is taken', async () => {
    for (const type of [undefined, 'text/plain;charset=UTF-8', 'application/json', 'image/png']) {
      const raw = await RawConnection.open(stack.port);
      await raw.write(requestText('POST', '/', { body: '{"ep":["a"]}', headers: { 'Content-Type': type } }));
      assert.equal((await raw.head()).status, 200, type);
      raw.destroy();
    }
  });
});

describe('what a subscription is refused for', () => {
  let stack;
  let agent;
  before(async () => {
    stack = await Stack.start('subbad', { config: { fanout: { max_topics: 5, max_topic_levels: 4 } } });
    agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  });
  after(async () => {
    agent?.destroy();
    await stack?.stop();
  });

  async function refused(body) {
    const answer = await stack.get('/', { method: 'POST', body, agent });
    assert.equal(answer.status, 400, `${body}: ${answer.status}`);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.deepEqual(Object.keys(answer.json), ['error']);
    assert.equal(answer.reason, answer.json.error, 'the reason phrase says the same as the body');
    return answer.json.error;
  }

  const named = {
    'Invalid JSON in body': ['', ' ', '{', '{"ep":["a"]', '{"ep":["a"]} x', 'nope', "{'ep':[]}", '{"ep":["a",]}'],
    'Event Points should be an array': ['{}', '{"ep":"a"}', '{"ep":{"topic":"a"}}', '{"ep":null}', '{"ep":7}'],
    'Invalid Event Point': ['{"ep":[7]}', '{"ep":[true]}', '{"ep":["a",1.5]}'],
    'Topic missing': ['{"ep":[{}]}', '{"ep":[{"binded":false}]}'],
    'Unknown member of a topic: Private': ['{"ep":[{"topic":"a","Private":true}]}', '{"ep":["b",{"Private":false,"topic":"a"}]}'],
    'Private topics need a proof: a': ['{"ep":[{"topic":"a","private":true}]}', '{"ep":["b",{"private":true,"topic":"a"}]}'],
    'private should be true or false': ['{"ep":[{"topic":"a","private":1}]}', '{"ep":[{"topic":"a","private":"true"}]}'],
    'A topic is binded or private, not both': ['{"ep":[{"topic":"a","private":true,"bound":true}]}'],
    'Topic @USER@ should be binded or private': ['{"ep":["@USER@"]}', '{"ep":["a",{"topic":"@USER@","binded":false}]}'],
    'binded should be true or false': ['{"ep":[{"topic":"a","bound":1}]}', '{"ep":[{"topic":"a","binded":"true"}]}'],
    'Bound topics need a bind key': ['{"ep":[{"topic":"a","bound":true}]}', '{"ep":[{"topic":"a","binded":true}]}'],
    'Topic should be a string': ['{"ep":[{"topic":7}]}', '{"ep":["a",{"topic":["a"]}]}'],
  };
  for (const [error, bodies] of Object.entries(named)) {
    test(error, async () => {
      for (const body of bodies) {
        assert.equal(await refused(body), error, body);
      }
    });
  }

  test('anything else that is no subscription', async () => {
    const bodies = [
      'null',
      '7',
      '"a"',
      '{"ep":[null]}',
      '{"ep":[""]}',
      '{"ep":[{"topic":""}]}',
      '{"ep":["a\\u0000b"]}',
      Buffer.concat([Buffer.from('{"ep":["a'), Buffer.from([0xc3, 0x28]), Buffer.from('"]}')]),
      Buffer.concat([Buffer.from('{"ep":["a'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"]}')]),
      `{"ep":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      `{"ep":["a"],"clid":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
      '{"ep":["a","b","c","d","e","f"]}',
      '{"ep":["a/b/c/d/e"]}',
      `{"ep":["${'x'.repeat(5000)}"]}`,
    ];
    for (const body of bodies) {
      await refused(body);
    }
    assert.deepEqual(await stack.look('/connections'), { '@TOTAL@': 0 });
  });
});

describe('routes', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('routes');
  });
  after(() => stack?.stop());

  test('OPTIONS is answered on every route, for every origin', async () => {
    for (const route of ['/', '/?x=1', '/alive', '/connections', '/state', '/memory', '/healthz', '/event']) {
      const answer = await stack.get(route, {
        method: 'OPTIONS',
        headers: {
          Origin: 'https://page.example',
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'authorization,baggage,content-type,sentry-trace,traceparent,tracestate',
        },
      });
      assert.ok([200, 204].includes(answer.status), `${route}: ${answer.status}`);
      assert.equal(answer.headers['access-control-allow-origin'], '*', route);
      const methods = answer.headers['access-control-allow-methods'].split(/\s*,\s*/);
      assert.ok(methods.includes('POST') && methods.includes('GET'), `${route}: ${methods}`);
      const headers = answer.headers['access-control-allow-headers'].toLowerCase().split(/\s*,\s*/);
      for (const name of ['authorization', 'content-type', 'last-event-id', 'x-requested-with', 'cache-control', 'baggage', 'sentry-trace', 'traceparent', 'tracestate']) {
        assert.ok(headers.includes(name), `${route}: ${name}`);
      }
    }
  });

  test('only names of headers are allowed as they were asked for', async () => {
    for (const asked of ['x<script>', 'a: b', 'ünder', 'x'.repeat(2000)]) {
      const answer = await stack.get('/', { method: 'OPTIONS', headers: { 'Access-Control-Request-Headers': Buffer.from(asked).toString('latin1') } });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-headers'], 'Authorization, Content-Type, Last-Event-ID, X-Requested-With, Cache-Control');
    }
  });

  test('what does not exist is 404, and says so to every origin', async () => {
    for (const [method, target] of [
      ['GET', '/nope'],
      ['POST', '/nope'],
      ['POST', '/event'],
      ['POST', '/event?token=x'],
      ['GET', '/connectionsx'],
      ['GET', '/alive/x'],
      ['GET', '//'],
      ['DELETE', '/nope'],
    ]) {
      const answer = await stack.get(target, { method, body: method === 'POST' ? '{"ep":["a"]}' : undefined });
      assert.equal(answer.status, 404, `${method} ${target}`);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
    }
  });

  test('other methods on the route of subscriptions are 400', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await stack.get('/', { method, body: method === 'GET' ? undefined : '{"ep":["a"]}' });
      assert.equal(answer.status, 400, method);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.reason, answer.json.error);
    }
  });

  test('/healthz says that all is well to everybody', async () => {
    const answer = await stack.get('/healthz');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  });
});

describe('the time of a stream', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('time', { config: { fanout: { stream_time: '2s', keep_alive: '1s' } } });
  });
  after(() => stack?.stop());

  test('ends with the last chunk, and the same connection subscribes again', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const began = Date.now();
    const first = await stack.subscribe(['a'], { agent });
    const { connid, localPort } = first;
    assert.equal(first.frames[0].json.e.detail.timeout, 2000);
    await first.ended();
    assert.equal(first.endedCleanly, true);
    assert.ok(Date.now() - began >= 1800, 'not before its time');
    const second = await stack.subscribe(['a'], { agent });
    assert.equal(second.localPort, localPort, 'it is the same TCP connection');
    assert.notEqual(second.connid, connid);
    await second.close();
    agent.destroy();
  });

  test('an ended stream is no longer counted and can not be renewed', async () => {
    const client = await stack.subscribe({ ep: ['a'], clid: 'gone' });
    await client.ended();
    assert.equal(client.endedCleanly, true);
    await stack.untilTotal(0);
    const answer = await stack.get('/alive', {
      method: 'POST',
      body: JSON.stringify({ connid: client.connid, secret: client.secret }),
    });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error, 'Invalid data');
  });
});

describe('/alive', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('alive', {
      config: { fanout: { stream_time: '6s', keep_alive: '1s', max_alive: 3 } },
    });
  });
  after(() => stack?.stop());

  function alive(body) {
    return stack.get('/alive', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  }

  test('renews a stream and gives a new secret each time, up to max_alive times', async () => {
    const client = await stack.subscribe(['a']);
    const secrets = new Set([client.secret]);
    let pair = { connid: client.connid, secret: client.secret };
    let former;
    await client.until('a keep-alive', () => client.keepAlives >= 1);
    let renewed;
    for (let i = 0; i < 3; i++) {
      renewed = Date.now();
      const answer = await alive(pair);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.deepEqual(Object.keys(answer.json).sort(), ['connid', 'secret', 'timeout']);
      assert.equal(answer.json.connid, client.connid);
      assert.equal(answer.json.timeout, 6000);
      if (former) {
        const old = await alive(former);
        assert.deepEqual([old.status, old.reason, old.json], [400, 'Invalid data', { error: 'Invalid data' }]);
      }
      former = pair;
      pair = { connid: client.connid, secret: answer.json.secret };
      secrets.add(pair.secret);
    }
    assert.equal(secrets.size, 4, 'every secret is another');
    const last = await alive(pair);
    assert.deepEqual([last.status, last.reason, last.json.error], [400, 'Max alive reached', 'Max alive reached']);
    await client.ended();
    assert.equal(client.endedCleanly, true);
    assert.ok(Date.now() - renewed >= 5800, 'its time began anew with the last renewal');
  });

  test('with a beat it says that the client is there, and renews when half of the time is over', async () => {
    const client = await stack.subscribe(['a']);
    const { connid, secret } = client;
    const beat = (ms, shown = secret) => alive({ connid, secret: shown, beat: ms });
    for (const wrong of [999, 86_400_001, 0, -5, 1.5, '5000', true, []]) {
      const answer = await beat(wrong);
      assert.deepEqual([answer.status, answer.reason], [400, 'Invalid beat'], `${wrong}`);
    }
    assert.equal((await beat(null)).status, 200, 'promises nothing'); // and renews, as without
    let pair = await beat(86_400_000);
    assert.equal(pair.json.secret, (await beat(86_400_000, pair.json.secret)).json.secret, 'the secret stays');
    const before = pair.json;
    await until('half of the time is over', async () => {
      pair = await beat(86_400_000, before.secret);
      assert.equal(pair.status, 200, pair.text);
      return pair.json.secret !== before.secret;
    });
    assert.equal(pair.json.timeout, 6000);
    await client.ended();
    assert.equal(client.endedCleanly, true);
  });

  test('a client that has promised a beat and says none is gone; another stays', async () => {
    const [silent, other] = [await stack.subscribe(['a']), await stack.subscribe(['a'])];
    const { connid, secret } = silent;
    assert.equal((await alive({ connid, secret, beat: 1000 })).status, 200);
    assert.equal((await alive({ connid, secret, beat: 1500 })).status, 200);
    await silent.ended();
    assert.equal(silent.endedCleanly, false);
    assert.equal((await stack.look('/state')).closed.silent, 1);
    await other.ended();
    assert.equal(other.endedCleanly, true);
  });

  test('tells a wrong shape from a wrong pair, and neither harms the stream', async () => {
    const client = await stack.subscribe(['a']);
    const other = await stack.subscribe(['a']);
    const { connid, secret } = client;
    for (const body of [
      {},
      [],
      { connid },
      { secret },
      { connid: String(connid), secret },
      { connid, secret: 7 },
      { connid: null, secret },
      { connid: connid + 0.5, secret },
    ]) {
      const answer = await alive(body);
      assert.equal(answer.status, 400);
      assert.equal(answer.json.error, 'Invalid object', JSON.stringify(body));
    }
    for (const body of [
      { connid, secret: `${secret}x` },
      { connid, secret: '' },
      { connid, secret: other.secret },
      { connid: 9007199254740991, secret },
    ]) {
      const answer = await alive(body);
      assert.equal(answer.status, 400);
      assert.equal(answer.json.error, 'Invalid data', JSON.stringify(body));
    }
    for (const body of ['', '{', 'x']) {
      assert.equal((await alive(body)).status, 400, body);
    }
    assert.equal((await alive({ connid, secret })).status, 200);
    await client.close();
    await other.close();
  });
});
