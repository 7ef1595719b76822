'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { BindingServer, certificate, reply } = require('./lib/binding-server');
const { Bound } = require('./lib/bound');
const { runCgi } = require('./lib/cgi');
const { request } = require('./lib/http');
const { newFolder, programs } = require('./lib/paths');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');

function ask(bound, key) {
  const body = JSON.stringify({ bind_key: key, ep: [{ topic: 'topic', binded: true }] });
  return request(bound.url, { method: 'POST', agent: false, body });
}

function subscribe(bound, key) {
  return Subscriber.open(bound.url, { bind_key: key, ep: ['topic', '@USER@'].map((topic) => ({ topic, binded: true })) });
}

let topics = 0;

/** Whether a stream that was made with this key is of this user and nobody else. */
async function isStreamOf(bound, key, user) {
  const topic = `only/${topics++}`;
  await bound.add(topic, { owner: 'nobody', pub: ['ana'], sub: [user] });
  const stream = await Subscriber.open(bound.url, { bind_key: key, ep: [{ topic, binded: true }] });
  const others = user === '[][][]' ? ['+'] : ['[][][]', `${user}x`];
  const mine = await bound.publish(topic, { as: 'ana' });
  await bound.esnctl('topic', 'revoke', 'sub', topic, user);
  await bound.esnctl('topic', 'grant', 'sub', topic, ...others);
  const theirs = await bound.publish(topic, { as: 'ana' });
  await stream.close();
  return mine.receivers === 1 && theirs.receivers === 0;
}

describe('the binding server', () => {
  let bound;
  let binding;
  before(async () => {
    binding = await BindingServer.start();
    const config = { mode: 'server', url: binding.url, time_limit: '500ms', down_time: '0s', max_answer: '4k' };
    bound = await Bound.start({ config: { binding: config } });
    await bound.add('topic', { owner: 'ana', sub: ['+'] });
  });
  after(async () => {
    await bound?.stop();
    await binding?.stop();
  });
  const answering = (answer) => {
    binding.answer = answer;
  };
  const restore = () => {
    delete binding.answer;
  };

  test('is asked as the original asked it, with the key as the body', async () => {
    const key = 'opaque+/=ñ "key"\n';
    answering((socket) => reply(socket, '"luis"'));
    const stream = await subscribe(bound, key);
    await stream.close();
    restore();
    const { method, target, headers, key: got } = binding.asked.at(-1);
    assert.deepEqual([method, target, got], ['RETREIVE', '/binding.php', key]);
    assert.equal(headers['content-length'], String(Buffer.byteLength(key)));
    assert.equal(headers.expect, undefined);
  });

  test('says in JSON who it is', async () => {
    for (const [answer, user] of [
      ['"luis"', 'luis'],
      ['7', '7'],
      [' "7"\n', '7'],
      ['"\\u00f1and\\u00fa \\ud83d\\ude00"', 'ñandú 😀'],
      ['"ñandú 😀"', 'ñandú 😀'],
      ['"[][][]"', '[][][]'],
    ]) {
      answering((socket) => reply(socket, answer));
      assert.equal(await isStreamOf(bound, 'key', user), true, answer);
    }
    restore();
  });

  test('refuses with an empty or a special word: 400', async () => {
    for (const answer of ['""', '"__DONT__"', '"*"', '"+"', `"${'x'.repeat(300)}"`]) {
      answering((socket) => reply(socket, answer));
      const got = await ask(bound, 'key');
      assert.deepEqual([got.status, got.reason, got.text], [400, 'Invalid Bind Key', '{"error":"Invalid Bind Key"}\n']);
    }
    restore();
    const asked = binding.asked.length;
    for (const key of ['', 'k'.repeat(20_000)]) {
      const got = await ask(bound, key);
      assert.deepEqual([got.status, got.json], [400, { error: 'Invalid Bind Key' }]);
    }
    assert.equal(binding.asked.length, asked, 'it is not asked for what is no key');
  });

  let elsewhere;
  before(async () => {
    elsewhere = await BindingServer.start();
  });
  after(() => elsewhere?.stop());

  const drip = (socket, text) => {
    socket.write(text);
    const timer = setInterval(() => socket.write(' '), 20);
    socket.on('close', () => clearInterval(timer));
  };
  const pour = (socket, count) => {
    const piece = Buffer.alloc(65536, 0x61);
    for (let i = 0; i < count && !socket.destroyed; i++) {
      socket.write(piece);
    }
  };
  const answers = {
    'nothing': (socket) => socket.end(),
    'nothing in time': () => {},
    'a head without an end': (socket) => drip(socket, 'HTTP/1.1 200 OK\r\nX: '),
    'a body without an end': (socket) => drip(socket, 'HTTP/1.1 200 OK\r\n\r\n'),
    'too little': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"luis"'),
    'no HTTP': (socket) => socket.end('luis\n'),
    'no text': (socket) => reply(socket, ''),
    'no JSON': (socket) => reply(socket, 'luis'),
    'half of JSON': (socket) => reply(socket, '"lu'),
    'more than JSON': (socket) => reply(socket, '"luis" "eva"'),
    'HTML': (socket) => reply(socket, '<html>login</html>'),
    'null': (socket) => reply(socket, 'null'),
    'true': (socket) => reply(socket, 'true'),
    'a fraction': (socket) => reply(socket, '1.5'),
    'an object without uid': (socket) => reply(socket, '{"user":"luis"}'),
    'an object with a slip': (socket) => reply(socket, '{"uid":"luis","untill":1795381850}'),
    'an object of a list': (socket) => reply(socket, '{"uid":["luis"]}'),
    'an object without a date': (socket) => reply(socket, '{"uid":"luis","until":"soon"}'),
    'a list': (socket) => reply(socket, '["luis"]'),
    'no UTF-8': (socket) => reply(socket, Buffer.from([0x22, 0xff, 0x22])),
    'a little too much': (socket) => reply(socket, `"luis"${' '.repeat(4096)}`),
    '10 MB': (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${160 * 65536}\r\n\r\n`);
      pour(socket, 160);
    },
    '10 MB in chunks': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na00000\r\n');
      pour(socket, 160);
    },
    '10 MB of headers': (socket) => {
      const line = `X-More: ${'h'.repeat(8000)}\r\n`;
      socket.write('HTTP/1.1 200 OK\r\n');
      for (let i = 0; i < 1300 && !socket.destroyed; i++) {
        socket.write(line);
      }
    },
    '201': (socket) => reply(socket, '"luis"', { status: '201 Created' }),
    '204': (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
    '404': (socket) => reply(socket, '"luis"', { status: '404 Not Found' }),
    '500': (socket) => reply(socket, '"luis"', { status: '500 Internal Server Error' }),
    '503': (socket) => reply(socket, '"__DONT__"', { status: '503 Service Unavailable' }),
    ...Object.fromEntries(
      [301, 302, 303, 307, 308].map((status) => [
        `the redirect ${status}`,
        (socket) => reply(socket, '"luis"', { status: `${status} Elsewhere`, headers: [`Location: ${elsewhere.url}`] }),
      ]),
    ),
  };
  test('that answers an object says whose it is, and until when', async () => {
    const until = Math.ceil(Date.now() / 1000) + 3600;
    answering((socket) => reply(socket, JSON.stringify({ uid: 'luis', until, sid: '9f2c' })));
    const stream = await bound.subscribe('luis', []);
    assert.deepEqual(stream.connected.identity, { uid: 'luis', until: until * 1000 });
    await stream.close();
    answering((socket) => reply(socket, JSON.stringify({ uid: 'luis', until: until - 7200 })));
    const over = await ask(bound, 'key');
    assert.deepEqual([over.status, over.json.error], [400, 'Invalid Bind Key']);
    restore();
  });

  for (const [name, answer] of Object.entries(answers)) {
    test(`that answers ${name} is no answer: 503, and the handler is free again`, async () => {
      answering(answer);
      // More at once than there are threads: none is lost.
      const all = await Promise.all(Array.from({ length: 20 }, () => ask(bound, 'key')));
      restore();
      for (const got of all) {
        assert.equal(got.status, 503, got.text);
        assert.equal(got.json.error, 'Bind keys cannot be checked now');
        assert.match(got.headers['retry-after'], /^\d+$/);
        assert.equal(got.headers['access-control-allow-origin'], '*');
      }
      const stream = await subscribe(bound, 'luis');
      await stream.close();
      assert.equal(elsewhere.asked.length, 0);
    });
  }

  test('that is down: 503; and when it is up again all is well', async () => {
    await binding.stop();
    const down = await ask(bound, 'key');
    assert.equal(down.status, 503, down.text);
    const free = await Subscriber.open(bound.url, ['free']);
    await free.close();
    await binding.listen();
    const stream = await subscribe(bound, 'luis');
    await stream.close();
  });

  test('connections to it are kept, and one that it closed is made anew', async () => {
    await binding.stop();
    await binding.listen();
    const before = binding.connections;
    for (let i = 0; i < 100; i++) {
      const stream = await subscribe(bound, 'luis');
      await stream.close();
    }
    // Two workers of eight threads.
    assert.ok(binding.connections - before <= 16, `${binding.connections - before} connections`);
  });

  test('proxies of the environment are not used, nor other methods than the configured one', async () => {
    bound.stack.writeConfig({
      binding: { mode: 'server', url: binding.url, method: 'POST' },
      handoff: { mode: 'json', url: 'http://stream.example/' },
    });
    const got = await runCgi(bound.stack.file, {
      program: programs.subscribe,
      body: JSON.stringify({ bind_key: 'luis', ep: ['a'] }),
      env: { http_proxy: elsewhere.url, all_proxy: elsewhere.url, HTTP_PROXY: elsewhere.url },
    });
    assert.deepEqual([got.status, got.code], [200, 0], got.text + got.stderr);
    assert.equal(binding.asked.at(-1).method, 'POST');
    assert.equal(elsewhere.connections, 0);
  });
});

describe('the certificate of a binding server', () => {
  const cases = {
    'a good one': { name: 'IP:127.0.0.1', trusted: true, status: 200 },
    'of another host': { name: 'DNS:binding.example', trusted: true, status: 503 },
    'of an unknown authority': { name: 'IP:127.0.0.1', trusted: false, status: 503 },
  };
  for (const [what, { name, trusted, status }] of Object.entries(cases)) {
    test(`${what}: ${status}`, async () => {
      const folder = newFolder('tls');
      const secure = await certificate(folder, name);
      const binding = await BindingServer.start({ secure });
      const ca = trusted ? { ca_file: secure.file } : {};
      const bound = await Bound.start({ config: { binding: { mode: 'server', url: binding.url, ...ca } } });
      try {
        if (status === 200) {
          const stream = await subscribe(bound, 'luis');
          await stream.close();
          assert.equal(binding.asked.length, 1);
        } else {
          const got = await ask(bound, 'luis');
          assert.equal(got.status, 503);
          assert.equal(binding.asked.length, 0, 'the key was not shown to a stranger');
          await bound.web.handler.untilLog(/certificate|SSL|issuer/i);
        }
      } finally {
        await bound.stop();
        await binding.stop();
        fs.rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});

describe('a binding server that hangs', () => {
  let bound;
  let binding;
  before(async () => {
    binding = await BindingServer.start();
    bound = await Bound.start({ config: { binding: { mode: 'server', url: binding.url, time_limit: '60s' } } });
  });
  after(async () => {
    await bound?.stop();
    await binding?.stop();
  });

  test('holds up nobody who comes without a bind key', async () => {
    const hanging = [];
    binding.answer = (socket) => hanging.push(socket);
    const asked = Array.from({ length: 40 }, () => ask(bound, 'key'));
    await until('some wait for the binding server', () => hanging.length > 0);
    for (let i = 0; i < 20; i++) {
      const free = await Subscriber.open(bound.url, { ep: ['free'] });
      await free.close();
    }
    const states = await Promise.all(asked.map((one) => Promise.race([one.then((answer) => answer.status), 'pending'])));
    const pending = states.filter((state) => state === 'pending').length;
    assert.ok(pending > 0, 'some wait still');
    assert.ok(states.every((state) => state === 'pending' || state === 503), states.join(' '));
    for (const socket of hanging) {
      reply(socket, '""');
    }
    delete binding.answer;
    await Promise.all(asked);
  });
});
