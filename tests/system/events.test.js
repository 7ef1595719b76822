'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');

/** Frames as [requested, emitted, type]. */
function triples(frames) {
  return frames.map(({ json }) => [json.ep.requested, json.ep.emitted, json.e.type]);
}

describe('who gets an event', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('who', { handlers: 1 });
  });
  after(() => stack?.stop());

  // requested, published, whether they meet
  const cases = [
    ['a', 'a', true],
    ['a', 'A', false],
    ['a', 'a/', false],
    ['a/', 'a/', true],
    ['/', '/', true],
    ['a', 'b', false],
    ['a/b', 'a/b', true],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['é/ñ', 'é/ñ', true],
    ['e\u0301', 'é', false],
    ['+', 'a', true],
    ['+', 'a/b', false],
    ['+/b', 'a/b', true],
    ['a/+', 'a/b', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a//c', true],
    ['a/+b', 'a/xb', false],
    ['a/+b', 'a/+b', true],
    ['#', 'a', true],
    ['#', 'a/b/c', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b', true],
    ['a/#', 'a/b/c/d', true],
    ['a/#', 'ab', false],
    ['a/#', 'b/a', false],
    ['a/#/c', 'a/b/c', false],
    ['a/#/c', 'a/#/c', true],
    ['a#', 'ab', false],
    ['+/+', 'a/b', true],
    ['+/#', 'a', true],
    // wildcards of the publisher
    ['a', '+', true],
    ['a/b', '+', false],
    ['a/b', 'a/+', true],
    ['a/b/c', 'a/#', true],
    ['a', 'a/#', true],
    ['a/b', '#', true],
    ['b/a', '+/a', true],
    // wildcards on both sides
    ['+/b', 'a/+', true],
    ['a/+', '+/b', true],
    ['a/#', '+/b/c', true],
    ['#', '#', true],
    ['a/+/c', 'a/b/+', true],
    ['a/+/c', 'a/b/#', true],
    ['a/+/c', 'x/#', false],
    ['a/b', '+/c', false],
    ['a/#', 'b/#', false],
    // topics of the system and of others that look like them
    ['#', '@own/a', false],
    ['+/a', '@own/a', false],
    ['@own/#', '@own/a', true],
    ['@own/+', '@own/a', true],
    ['@own/a', '#', false],
    ['@own/a', '+/a', false],
    ['@own/a', '@own/+', true],
    ['a/+', 'a/@b', true],
    ['@CONNECTION@/a', '#', false],
    ['@CONNECTION@/a', '+/a', false],
  ];

  test('topics and wildcards on both sides', async () => {
    for (const [requested, published, meet] of cases) {
      const client = await stack.subscribe([requested, '@control']);
      const answer = await stack.publish(published, 'x');
      const [frames] = await stack.drain('@control', client);
      const events = frames.filter((frame) => frame.json.e.type === 'x');
      const what = `${requested} and ${published}`;
      assert.deepEqual(triples(events), meet ? [[requested, published, 'x']] : [], what);
      assert.equal(answer.receivers, meet ? 1 : 0, what);
      await client.close();
      await stack.untilTotal(0);
    }
  });

  test('an event that matches several requested topics arrives once for each', async () => {
    const client = await stack.subscribe(['a/b', 'a/+', '#', 'c', '@control']);
    await stack.publish('a/b', 'x');
    const [frames] = await stack.drain('@control', client);
    const events = frames.filter((frame) => frame.json.e.type === 'x');
    assert.deepEqual(triples(events).sort(), [
      ['#', 'a/b', 'x'],
      ['a/+', 'a/b', 'x'],
      ['a/b', 'a/b', 'x'],
    ]);
    assert.equal(new Set(events.map((frame) => frame.json.id)).size, 1, 'it is one event');
    await client.close();
  });

  test('a shout reaches every subscriber, several topics one after the other', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => stack.subscribe(['a', 'b'])));
    const other = await stack.subscribe(['b']);
    const answer = await stack.publish(['a', 'b', 'nobody'], 'x', 1);
    assert.deepEqual(
      answer.ep.map(({ topic, result, receivers }) => [topic, result, receivers]),
      [
        ['a', 'sent', 3],
        ['b', 'sent', 4],
        ['nobody', 'sent', 0],
      ],
    );
    const frames = await stack.drain('b', ...clients, other);
    for (const got of frames.slice(0, 3)) {
      assert.deepEqual(triples(got.slice(1)), [
        ['a', 'a', 'x'],
        ['b', 'b', 'x'],
      ]);
    }
    assert.deepEqual(triples(frames[3].slice(1)), [['b', 'b', 'x']]);
    await Promise.all([...clients, other].map((client) => client.close()));
  });

  test('a whisper reaches the named connection alone, and only on its own topics', async () => {
    const [first, second] = [await stack.subscribe(['a', '@control']), await stack.subscribe(['a', '@control'])];
    const whisper = async (topic, connid) => {
      const answer = await stack.post({ ep: [{ topic, whisper: connid }], e: { type: 'psst' } });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.receivers;
    };
    assert.equal(await whisper('a', second.connid), 1);
    assert.equal(await whisper('+', second.connid), 1);
    assert.equal(await whisper('b', second.connid), 0);
    assert.equal(await whisper('a', 9007199254740991), 0);
    const [one, two] = await stack.drain('@control', first, second);
    assert.deepEqual(triples(one.slice(1)), []);
    assert.deepEqual(triples(two.slice(1)), [
      ['a', 'a', 'psst'],
      ['a', '+', 'psst'],
    ]);
    await second.close();
    await stack.untilTotal(1);
    assert.equal(await whisper('a', second.connid), 0, 'the connection is gone');
    await first.close();
  });

  test('topics of the system can not be published on', async () => {
    const client = await stack.subscribe(['@SERVER@', '@CONNECTION@/#', '@USER@/x', '@bind@/x', 'ok']);
    for (const topic of [
      '@SERVER@',
      '@SERVER@/x',
      '@CONNECTION@',
      '@CONNECTION@/x',
      '@CONNECTION@/+',
      '@USER@',
      '@bind@',
      '@bind@/x',
    ]) {
      for (const ep of [[topic], ['ok', { topic }], [{ topic, whisper: client.connid }]]) {
        const answer = await stack.post({ ep, e: { type: 'forged' } });
        assert.equal(answer.status, 403, `${topic}: ${answer.text}`);
      }
    }
    const [frames] = await stack.drain('ok', client);
    assert.equal(frames.filter((frame) => frame.json.e.type === 'forged').length, 0);
    await client.close();
  });

  test('the daemon hears of PHP', async () => {
    const client = await stack.subscribe(['php']);
    const script = `
      $event = ['ep' => ['php'], 'e' => ['type' => 'hello', 'detail' => ['text' => "d'été €", 'n' => 1.5]]];
      echo file_get_contents(getenv('URL'), false, stream_context_create(['http' => [
        'method' => 'POST',
        'header' => "Content-Type: application/json\\r\\nAuthorization: Bearer " . getenv('TOKEN'),
        'content' => json_encode($event),
      ]]));`;
    const result = await run([tool('php', 'php-cli'), '-r', script], {
      env: { URL: stack.eventUrl, TOKEN: stack.publishToken },
    });
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.equal(JSON.parse(result.stdout).receivers, 1);
    const frames = await client.takeUntil('hello');
    assert.deepEqual(frames.at(-1).json.e, { type: 'hello', detail: { text: "d'été €", n: 1.5 } });
    await client.close();
  });
});

describe('how an event arrives', () => {
  let stack;
  let client;
  before(async () => {
    stack = await Stack.start('how', {
      handlers: 1,
      config: { publish: { max_depth: 60, max_body: '4M' } },
    });
    client = await stack.subscribe(['t', 'é\u2028😀']);
    client.frames.shift();
  });
  after(async () => {
    await client?.close();
    await stack?.stop();
  });

  /** Publishes `e` as this JSON text and gives the frame. */
  async function send(e) {
    const answer = await stack.post(`{"ep":["t"],"e":${e}}`);
    assert.equal(answer.status, 200, `${e.slice(0, 100)}: ${answer.text}`);
    const frame = await client.until('the event', () => client.frames.shift());
    assert.match(frame.text, /^[\x20-\x7f]*$/, 'frames are printable ASCII');
    assert.equal(frame.text.includes("'"), false, "frames have no '");
    assert.equal(frame.json.id, answer.json.id);
    return frame;
  }

  test('is {iat, id, ep, e} and nothing else', async () => {
    const { json } = await send('{"type":"x","detail":1}');
    assert.deepEqual(Object.keys(json).sort(), ['e', 'ep', 'iat', 'id']);
    assert.match(json.id, /^[^-]+-\d+$/);
    assert.deepEqual(json.ep, { requested: 't', emitted: 't' });
    assert.deepEqual(json.e, { type: 'x', detail: 1 });
  });

  test('no detail is not the same as null', async () => {
    assert.deepEqual((await send('{"type":"x"}')).json.e, { type: 'x' });
    assert.deepEqual((await send('{"type":"x","detail":null}')).json.e, { type: 'x', detail: null });
  });

  test('every text comes through unchanged', async () => {
    const texts = [
      '',
      "'",
      "''9''",
      "''0''''2''{}",
      'áéíóúñü ÁÉÍÓÚÑÜ ç ß',
      '日本語 Ελληνικά русский עברית',
      '😀👩‍👩‍👧‍👦🇦🇷',
      '\u2028\u2029\ufeff\u200b',
      '\u0000\u0001\u001f\u007f\u0080\u009f',
      '"\\/\b\f\n\r\t',
      '\\u0027',
      '</script><!--',
      '\u{10ffff}\u{10000}\uffff\ufffe',
    ];
    for (const text of texts) {
      for (const e of [{ type: 'x', detail: text }, { type: text, detail: { [text]: [text] } }]) {
        const json = JSON.stringify(e);
        assert.deepEqual((await send(json)).json.e, e, json);
      }
    }
  });

  test('escapes and lone surrogates come through', async () => {
    assert.equal((await send('{"type":"x","detail":"\\ud800"}')).json.e.detail, '\ud800');
    assert.equal((await send('{"type":"x","detail":"\\udfff\\ud83d"}')).json.e.detail, '\udfff\ud83d');
    assert.equal((await send('{"type":"x","detail":"\\ud83d\\ude00"}')).json.e.detail, '😀');
    assert.equal((await send('{"type":"x","detail":"\\u0000"}')).json.e.detail, '\0');
    assert.deepEqual((await send('{"type":"x","detail":{"\\u0061":1}}')).json.e.detail, { a: 1 });
  });

  test('strings of 200 KB, of every width', async () => {
    for (const text of ['x'.repeat(200_000), "'".repeat(200_000), 'é'.repeat(100_000), '😀'.repeat(50_000)]) {
      const { json } = await send(JSON.stringify({ type: 'x', detail: text }));
      assert.equal(json.e.detail === text, true, `${text.length} times ${text.slice(0, 2)}`);
    }
  });

  test('numbers keep their digits', async () => {
    for (const number of [
      '0',
      '-0',
      '1e400',
      '-1E+400',
      '1e-400',
      '12345678901234567890',
      '0.1000000000000000055511151231257827021181583404541015625',
      '9007199254740993',
      `1${'0'.repeat(1000)}`,
    ]) {
      const { text } = await send(`{"type":"x","detail":${number}}`);
      assert.ok(text.includes(`"detail":${number}}`), `${number} in ${text.slice(0, 300)}`);
    }
  });

  test('every kind of JSON value, spaces or not', async () => {
    const values = [null, true, false, 0, -1.5, '', [], {}, [[]], { '': {} }, [null, { a: [1, 'x', false] }]];
    for (const detail of values) {
      for (const space of [0, '\t', ' \r\n ']) {
        const { json } = await send(
          JSON.stringify({ type: 'x', detail }, null, 1).replace(/\n/g, space === 0 ? '' : `${space}`),
        );
        assert.deepEqual(json.e, { type: 'x', detail });
      }
    }
  });

  test('of a doubled key the last counts, as in JavaScript', async () => {
    const { json } = await send('{"type":"y","detail":1,"detail":{"a":1,"a":2},"type":"x"}');
    assert.deepEqual(json.e, { type: 'x', detail: { a: 2 } });
  });

  test('nesting up to the limit', async () => {
    // The body and e are two levels themselves.
    for (const depth of [1, 30, 58]) {
      const detail = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      assert.ok((await send(`{"type":"x","detail":${detail}}`)).text.includes(detail));
    }
  });

  test('topics of any letters', async () => {
    await stack.publish('é\u2028😀', 'x');
    const frame = await client.until('the event', () => client.frames.shift());
    assert.match(frame.text, /^[\x20-\x7f]*$/);
    assert.deepEqual(frame.json.ep, { requested: 'é\u2028😀', emitted: 'é\u2028😀' });
  });

  test('iat never goes back and ids grow', async () => {
    let last = { iat: 0, sequence: -1n, epoch: undefined };
    for (let i = 0; i < 300; i++) {
      const { json } = await send(`{"type":"x","detail":${i}}`);
      const [epoch, sequence] = json.id.split('-');
      assert.ok(json.iat >= last.iat, `${json.iat} after ${last.iat}`);
      assert.ok(BigInt(sequence) > last.sequence, `${sequence} after ${last.sequence}`);
      assert.ok(last.epoch === undefined || last.epoch === epoch, 'one daemon has one epoch');
      last = { iat: json.iat, sequence: BigInt(sequence), epoch };
    }
    assert.ok(Math.abs(last.iat - Date.now()) < 60_000);
  });
});
