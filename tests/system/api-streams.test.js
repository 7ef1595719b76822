'use strict';

// docs/api/asyncapi.yaml beside a running daemon: it is valid, each message that it describes is heard or taken, and all that is
// heard is as it describes.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const Ajv = require('ajv');
const schema = require('@asyncapi/specs/schemas/3.0.0-without-$id.json');
const WebSocket = require('ws');
const { Described, read } = require('./lib/described');
const { Stack } = require('./lib/stack');
const { claims, ticket } = require('./lib/tickets');
const { until } = require('./lib/wait');

const SECRET = 'the secret of the tickets of these tests';

test('the description is a valid AsyncAPI 3.0', () => {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const validate = ajv.compile(schema);
  assert.ok(validate(read('asyncapi.yaml')), ajv.errorsText(validate.errors));
});

test('asyncapi.yaml', async (t) => {
  const described = new Described('asyncapi.yaml');
  const { messages } = described.document.components;
  const seen = new Set();
  const said = Object.keys(messages).filter((name) => messages[name].payload.properties.iat === undefined);
  const heard = Object.keys(messages).filter((name) => !said.includes(name));
  let stack;
  t.before(async () => {
    stack = new Stack('async', { handlers: 1, config: { ticket: { secret_file: 'ticket.secret' } } });
    stack.writeTokens('ticket.secret', [SECRET]);
    await stack.start();
  });
  t.after(() => stack?.stop());

  const signed = (more) => ticket(claims(more), { secret: SECRET });
  const fault = (name, json) => described.fault(['components', 'messages', name, 'payload'], json);

  /** Which messages a frame may be: the special one when there is one. */
  function take(json) {
    const names = heard.filter((name) => fault(name, json) === '');
    const own = names.filter((name) => name !== 'event');
    assert.ok(names.length > 0, `nothing describes ${JSON.stringify(json)}`);
    if (json.ep.requested.startsWith('@')) {
      assert.equal(own.length, 1, `${JSON.stringify(json)} is ${own}`);
    }
    seen.add(own[0] ?? 'event');
  }

  /** A WebSocket whose frames are all looked at. */
  async function open(query) {
    const socket = new WebSocket(`ws://127.0.0.1:${stack.port}/ws?${new URLSearchParams(query)}`);
    const client = { frames: [], socket };
    socket.on('message', (data) => client.frames.push(JSON.parse(data)));
    client.closed = new Promise((resolve) => socket.on('close', resolve));
    client.hear = (type) => until(`${type} is heard`, () => client.frames.find((json) => json.e.type === type));
    client.say = (name, json) => {
      assert.equal(fault(name, json), '', name);
      seen.add(name);
      socket.send(JSON.stringify(json));
    };
    client.end = async () => {
      socket.close();
      await client.closed;
      client.frames.forEach(take);
    };
    const { e } = await client.hear('connected');
    return Object.assign(client, e.detail);
  }

  await t.test('an event, a last value, presence', async () => {
    const client = await open([['ep', 'a/#'], ['ep', '@CONNECTION@/visitor'], ['report', 'true']]);
    await client.hear('available');
    await stack.publish('a/b', 'plain', { any: 'thing' });
    const kept = await stack.post({ ep: [{ topic: 'a/kept', keep: true }], e: { type: 'kept', detail: 1 }, report: true });
    assert.equal(kept.status, 200, kept.text);
    await client.hear('kept');
    client.say('had', { had: kept.json.id });
    const visitor = await open([['ep', 'a/kept'], ['clid', 'visitor']]);
    assert.equal((await visitor.hear('kept')).kept, true);
    await client.hear('connect');
    await visitor.end();
    await client.hear('disconnect');
    await client.end();
  });

  await t.test('what a client says, and is answered', async () => {
    const client = await open([['ep', 'a']]);
    client.say('subscribe', { subscribe: ['b/#', { topic: 'c' }] });
    await client.hear('subscribed');
    client.say('unsubscribe', { unsubscribe: ['c'] });
    await client.hear('unsubscribed');
    client.say('alive', { alive: client.secret });
    await client.hear('alive');
    client.say('ping', { ping: 1 });
    await client.hear('pong');
    client.socket.send('{"subscribe": 7}');
    await client.hear('error');
    await client.end();
  });

  await t.test('who comes back to watch names', async () => {
    const { id } = await stack.publish('a', 'x');
    const client = await open([['ep', '@CONNECTION@/+'], ['last_id', id]]);
    await client.hear('presence');
    await client.end();
  });

  await t.test('a proof that ends, and an order to end', async () => {
    const short = await open([['ticket', signed({ uid: 'ana', until: Date.now() / 1000 + 4 })]]);
    await short.hear('expired');
    await short.end();
    const client = await open([['ticket', signed({ uid: 'eva' })]]);
    assert.equal((await stack.post({ uid: 'eva' }, { url: `${stack.webUrl}/notify/drop` })).json.dropped, 1);
    await client.hear('dropped');
    await client.end();
  });

  await t.test('the end of the daemon', async () => {
    const client = await open([['ep', 'a']]);
    await stack.daemon.end();
    await client.hear('stopping');
    await client.end();
  });

  await t.test('each message that is described was heard, or said', () => {
    assert.deepEqual(Object.keys(messages).filter((name) => !seen.has(name)), []);
  });
});
