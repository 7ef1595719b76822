'use strict';

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');

const SUBSCRIBE = '{"ep":["a"]}';
const HEALTH = requestText('GET', '/healthz');

describe('HTTP as no browser speaks it', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('http', {
      config: { fanout: { max_headers: '4k', max_body: '10k', max_ignored_input: '4k', linger_time: '2s' } },
    });
  });
  after(() => stack?.stop());
  // Whatever was done to it, the daemon is well and holds nobody.
  afterEach(() => {
    RawConnection.destroyAll();
    return stack.untilTotal(0);
  });

  /** Sends text on a new connection; gives the whole first answer, and checks that the connection is closed after it. */
  async function lastAnswer(text) {
    const raw = await RawConnection.open(stack.port);
    await raw.write(text);
    const answer = await raw.answer();
    await raw.closed();
    assert.equal(raw.error, undefined, `closed with ${raw.error?.code}`);
    assert.equal(raw.pending, '', 'nothing comes after the answer');
    raw.destroy();
    return answer;
  }

  function assertRefused(answer, status) {
    assert.equal(answer.status, status, JSON.stringify(answer));
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.equal(typeof JSON.parse(answer.text).error, 'string');
  }

  test('a request in pieces of one byte', async () => {
    const raw = await RawConnection.open(stack.port);
    for (const byte of Buffer.from(requestText('POST', '/', { body: '{"ep":["é","a"],"clid":"slow"}' }))) {
      await raw.write(Buffer.from([byte]));
    }
    assert.equal((await raw.head()).status, 200);
    await raw.chunks((text) => text.includes('connected'));
    raw.destroy();
  });

  test('a chunked body in pieces of one byte, with extensions and trailers', async () => {
    const chunks = [...SUBSCRIBE].map((character) => `1;name=value\r\n${character}\r\n`).join('');
    const text = requestText('POST', '/', { headers: { 'Transfer-Encoding': 'chunked' } });
    const raw = await RawConnection.open(stack.port);
    for (const byte of Buffer.from(`${text}${chunks}0\r\nTrailer: x\r\n\r\n`)) {
      await raw.write(Buffer.from([byte]));
    }
    assert.equal((await raw.head()).status, 200);
    raw.destroy();
  });

  test('requests sent one after the other without waiting are answered in order', async () => {
    const raw = await RawConnection.open(stack.port);
    const refused = requestText('POST', '/', { body: '{"ep":7}' });
    const missing = requestText('GET', '/nope');
    const turns = 50;
    await raw.write((HEALTH + refused + missing).repeat(turns));
    for (let i = 0; i < turns; i++) {
      assert.equal((await raw.answer()).status, 200);
      assert.equal((await raw.answer()).reason, 'Event Points should be an array');
      assert.equal((await raw.answer()).status, 404);
    }
    assert.equal(raw.isClosed, false, 'the connection is kept');
    raw.destroy();
  });

  test('HEAD has no body, and the next answer begins where it should', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('HEAD', '/healthz') + HEALTH);
    const head = await raw.answer({ hasBody: false });
    assert.ok([200, 404, 405].includes(head.status), String(head.status));
    assert.equal((await raw.answer()).status, 200);
    raw.destroy();
  });

  test('a subscription after other requests on the same connection', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(HEALTH + requestText('POST', '/', { body: SUBSCRIBE }));
    assert.equal((await raw.answer()).status, 200);
    assert.equal((await raw.head()).headers['transfer-encoding'], 'chunked');
    await raw.chunks((text) => text.includes('connected'));
    await stack.untilTotal(1);
    raw.destroy();
  });

  test('head over the limit: 431, which can be read', async () => {
    for (const text of [
      requestText('GET', '/healthz', { headers: { 'X-Long': 'x'.repeat(5000) } }),
      requestText('GET', `/healthz?${'x'.repeat(5000)}`),
      requestText('GET', '/healthz', { headers: { 'X-Long': 'x'.repeat(300_000) } }),
      `GET /healthz HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(5000)}\r\n`,
      `GET /${'x'.repeat(20_000)}`,
      `GET /healthz HTTP/1.1\r\n${'x'.repeat(20_000)}`,
    ]) {
      assertRefused(await lastAnswer(text), 431);
    }
  });

  test('a head just below the limit is taken', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('GET', '/healthz', { headers: { 'X-Long': 'x'.repeat(3500) } }));
    assert.equal((await raw.answer()).status, 200);
    raw.destroy();
  });

  test('body over the limit: 413, which can be read although the client goes on sending', async () => {
    const large = `{"ep":["a"],"x":"${'x'.repeat(2_000_000)}"}`;
    assertRefused(await lastAnswer(requestText('POST', '/', { body: large })), 413);
    assertRefused(await lastAnswer(requestText('POST', '/alive', { body: large })), 413);
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
    const head = requestText('POST', '/', { headers: { 'Transfer-Encoding': 'chunked' } });
    assertRefused(await lastAnswer(`${head}${chunk.repeat(100)}0\r\n\r\n`), 413);
    const declared = requestText('POST', '/', { headers: { 'Content-Length': '99999999999' } });
    assertRefused(await lastAnswer(declared), 413);
  });

  test('a body at the limit is taken', async () => {
    const start = '{"ep":["a"],"x":"';
    const body = `${start}${'x'.repeat(10_240 - start.length - 2)}"}`;
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('POST', '/', { body }));
    assert.equal((await raw.head()).status, 200);
    raw.destroy();
  });

  test('Expect: 100-continue is answered before the body, unless it would be refused', async () => {
    const raw = await RawConnection.open(stack.port);
    const headers = { Expect: '100-continue', 'Content-Length': String(SUBSCRIBE.length) };
    await raw.write(requestText('POST', '/', { headers }));
    assert.equal((await raw.head()).status, 100);
    await raw.write(SUBSCRIBE);
    assert.equal((await raw.head()).status, 200);
    raw.destroy();
    const large = requestText('POST', '/', { headers: { Expect: '100-continue', 'Content-Length': '20000' } });
    assertRefused(await lastAnswer(large), 413);
  });

  const malformed = {
    'Content-Length and Transfer-Encoding': { 'Content-Length': '12', 'Transfer-Encoding': 'chunked' },
    'Transfer-Encoding and Content-Length': { 'Transfer-Encoding': 'chunked', 'content-length': '0' },
    'two lengths in one': { 'Content-Length': '12, 13' },
    'two contradicting lengths': { 'Content-Length': '12', 'content-length': '13' },
    'a negative length': { 'Content-Length': '-1' },
    'a length with a sign': { 'Content-Length': '+12' },
    'a hexadecimal length': { 'Content-Length': '0x0c' },
    'a length with letters': { 'Content-Length': '12abc' },
    'a length beyond 64 bits': { 'Content-Length': '18446744073709551628' },
    'an unknown transfer coding': { 'Content-Length': undefined, 'Transfer-Encoding': 'gzip' },
    'chunked not last': { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked, gzip' },
    'chunked in disguise': { 'Content-Length': undefined, 'Transfer-Encoding': 'xchunked' },
    'a space before the colon': { 'Content-Length ': '12' },
    'NUL in a header': { 'X-Nul': 'a\0b' },
    'a header without a name': { '': 'x' },
    'a header name with blanks': { 'X Y': 'x' },
  };
  for (const [what, headers] of Object.entries(malformed)) {
    test(`${what}: refused, and nothing behind it is taken for a request`, async () => {
      const text = requestText('POST', '/', { body: SUBSCRIBE, headers });
      const answer = await lastAnswer(text + HEALTH);
      assert.ok([400, 413, 501].includes(answer.status), JSON.stringify(answer));
      assert.equal(answer.headers['access-control-allow-origin'], '*');
    });
  }

  test('what is no HTTP at all', async () => {
    for (const text of [
      '\0\0\0\0',
      'hello\r\n\r\n',
      'GET\r\n\r\n',
      'GET /\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET / HTTP/1.1 x\r\n\r\n',
      'G\0T / HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      `GET / HTTP/1.1\r\nHost: x\r\n\x01: y\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ]) {
      const answer = await lastAnswer(Buffer.from(text, 'latin1'));
      assert.ok(answer.status >= 400 && answer.status <= 505, `${JSON.stringify(text)}: ${answer.status}`);
    }
  });

  test('chunks that are none', async () => {
    const head = requestText('POST', '/', { headers: { 'Transfer-Encoding': 'chunked' } });
    const none = ['x\r\n', '-1\r\n', '\r\n', '3\r\n{"epp', '10000000000000000\r\n', '0x3\r\n{}\r\n'];
    const loose = ['2;a=b\n{}\r\n', '2;a\nb\r\n{}\r\n', '2\n{}\r\n', '2\r\n{}\n', '2\r\n{}xx', '2\r\n{}x\r\n'];
    for (const chunk of [...none, ...loose]) {
      const answer = await lastAnswer(head + chunk + SUBSCRIBE);
      assert.ok([400, 413].includes(answer.status), `${chunk}: ${answer.status}`);
    }
  });

  test('bodies that are no subscription', async () => {
    for (const body of ['['.repeat(10_000), '{"ep":["\xff"]}', '{"ep":["a\\u0000"]}', '\0', '{"ep":["a\0"]}']) {
      const raw = await RawConnection.open(stack.port);
      const bytes = Buffer.from(body, 'latin1');
      await raw.write(requestText('POST', '/', { headers: { 'Content-Length': String(bytes.length) } }));
      await raw.write(bytes);
      assertRefused(await raw.answer(), 400);
      await raw.write(HEALTH);
      assert.equal((await raw.answer()).status, 200, 'the connection is kept');
      raw.destroy();
    }
  });

  test('HTTP/1.0: no chunks, and the end of the connection is the end of the answer', async () => {
    const health = await lastAnswer(requestText('GET', '/healthz', { version: '1.0' }));
    assert.equal(health.status, 200);
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('POST', '/', { body: SUBSCRIBE, version: '1.0' }));
    const head = await raw.head();
    assert.equal(head.status, 200);
    assert.equal(head.headers['transfer-encoding'], undefined);
    assert.equal(head.headers['content-length'], undefined);
    await raw.until('connected', () => /^''\d+''\{.*connected.*\}\s*$/s.test(raw.pending));
    raw.destroy();
  });

  test('Connection: close is honoured', async () => {
    const answer = await lastAnswer(requestText('GET', '/healthz', { headers: { Connection: 'close' } }));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, 'close');
  });

  test('the absolute form of a request target', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('GET', 'http://any.example/healthz'));
    assert.equal((await raw.answer()).status, 200);
    await raw.write(requestText('POST', 'http://any.example/', { body: SUBSCRIBE }));
    assert.equal((await raw.head()).status, 200);
    raw.destroy();
  });

  test('a client that sends while it should listen', async () => {
    const raw = await RawConnection.open(stack.port);
    await raw.write(requestText('POST', '/', { body: SUBSCRIBE }));
    assert.equal((await raw.head()).status, 200);
    await raw.write('x'.repeat(1000));
    const other = await stack.subscribe(['@CONNECTION@/@ANON_CONNECTION@']);
    assert.equal((await stack.look('/connections'))['@TOTAL@'], 2, 'a little is ignored');
    await raw.write('x'.repeat(10_000));
    await raw.closed();
    await stack.untilTotal(1);
    raw.destroy();
    await other.close();
  });

  test('a client that closes its sending side has gone', async () => {
    const listening = await RawConnection.open(stack.port);
    await listening.write(requestText('POST', '/', { body: SUBSCRIBE }));
    assert.equal((await listening.head()).status, 200);
    listening.halfClose();
    await listening.closed();
    const half = await RawConnection.open(stack.port);
    await half.write(requestText('POST', '/', { body: SUBSCRIBE }).slice(0, -4));
    half.halfClose();
    await half.closed();
    const idle = await RawConnection.open(stack.port);
    idle.halfClose();
    await idle.closed();
  });
});

describe('clients that are silent', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('silent', {
      config: { fanout: { header_time: '1s', body_time: '1s', idle_time: '1s', linger_time: '1s', stream_time: '1h' } },
    });
  });
  after(() => stack?.stop());

  /** How the connection ends that has sent these pieces: the answers' statuses, and that it took a second at least. */
  async function end(...pieces) {
    const raw = await RawConnection.open(stack.port);
    let began = Date.now();
    for (const piece of pieces) {
      began = Date.now();
      await raw.write(piece);
    }
    await raw.closed();
    assert.equal(raw.error, undefined, `closed with ${raw.error?.code}`);
    assert.ok(Date.now() - began >= 800, `closed after ${Date.now() - began} ms`);
    return [...raw.pending.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));
  }

  test('from the beginning: closed after header_time', async () => {
    assert.deepEqual(await end(), [], 'without a word');
  });

  test('in the middle of the head: 408 after header_time', async () => {
    assert.deepEqual(await end('POST / HTTP/1.1\r\nHost: x\r\nCont'), [408]);
  });

  test('in the middle of the body: 408 after body_time', async () => {
    assert.deepEqual(await end(requestText('POST', '/', { body: SUBSCRIBE }).slice(0, -1)), [408]);
    const head = requestText('POST', '/', { headers: { 'Transfer-Encoding': 'chunked' } });
    assert.deepEqual(await end(`${head}3\r\n{"e\r\n`), [408]);
  });

  test('between two requests: closed after idle_time', async () => {
    assert.deepEqual(await end(HEALTH), [200], 'and nothing is said');
  });

  test('drop by drop: neither head nor body is waited for longer than its time', async () => {
    for (const text of [
      `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(10_000)}`,
      requestText('POST', '/', { headers: { 'Content-Length': '100000' } }) + ' '.repeat(10_000),
    ]) {
      const raw = await RawConnection.open(stack.port);
      const start = text.indexOf('\r\n\r\n') < 0 ? 10 : text.indexOf('\r\n\r\n') + 4;
      await raw.write(text.slice(0, start));
      const drops = (async () => {
        for (let i = start; i < text.length && !raw.isClosed; i++) {
          await raw.write(text[i]);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })();
      await raw.closed();
      raw.destroy();
      await drops;
    }
  });

  test('a held stream is not silent, it listens', async () => {
    const client = await stack.subscribe(['a']);
    await end(HEALTH); // longer than every limit
    await end(HEALTH);
    assert.deepEqual(await stack.look('/connections'), { '@ANON_CONNECTION@': 1, '@TOTAL@': 1 });
    assert.equal(client.isOver, false);
    await client.close();
  });
});

describe('more connections than the daemon takes', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('full', { config: { fanout: { max_connections: 20 } } });
  });
  after(() => stack?.stop());

  test('503 for those too many, and room again when others go', async () => {
    const clients = [];
    for (let i = 0; i < 18; i++) {
      clients.push(await stack.subscribe(['a']));
    }
    const raws = [];
    let refused;
    while (!refused) {
      assert.ok(raws.length < 10, 'the limit is kept');
      const raw = await RawConnection.open(stack.port);
      await raw.write(requestText('POST', '/', { body: SUBSCRIBE }));
      raws.push(raw);
      refused = (await raw.head()).status === 503;
    }
    await raws.at(-1).closed();
    for (const raw of raws) {
      raw.destroy();
    }
    await Promise.all(clients.map((client) => client.close()));
    await stack.untilTotal(0);
    const client = await stack.subscribe(['a']);
    await client.close();
  });
});
