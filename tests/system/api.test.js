'use strict';

// docs/api/openapi.yaml beside the running programs: it is valid, every answer that it describes occurs, and what occurs is as it
// describes.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { Described } = require('./lib/described');
const { source } = require('./lib/paths');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { until, within } = require('./lib/wait');

const TICKET_SECRET = 'the secret of the tickets of these tests';
const SLOW = 'secret-of-a-publisher-that-may-do-little';

test('the description is a valid OpenAPI 3.1', async () => {
  const { Validator } = await import('@seriousme/openapi-schema-validator');
  const result = await new Validator().validate(path.join(source, 'docs/api/openapi.yaml'));
  assert.equal(result.valid, true, JSON.stringify(result.errors));
});

test('openapi.yaml', async (t) => {
  const described = new Described('openapi.yaml');
  const seen = new Set();
  let bound;
  let stack;

  t.before(async () => {
    bound = await Bound.start({
      config: {
        token: { sign_file: 'sign.key', store_file: 'tokens.db' },
        publish: { publishers_file: 'publishers', burst: '1' },
        fanout: { max_topics_per_address: '64k' },
      },
      prepare: (prepared) => {
        prepared.config.publish.token_file = path.join(prepared.folder, 'publish.token');
        prepared.writeTokens('sign.key', ['the secret that signs the tokens of these tests']);
        prepared.writeTokens('slow.key', [SLOW]);
        fs.writeFileSync(path.join(prepared.folder, 'publishers'), '[slow]\nsecret_file = slow.key\ntopics = allowed\nmay = none\nrate = 1\n');
      },
    });
    stack = bound.stack;
  });
  t.after(() => bound?.stop());

  /** Sends a request; gives the answer when it is whole, or, of a stream, when its first bytes are here. */
  function send(url, { method, headers = {}, body }) {
    const answer = new Promise((resolve, reject) => {
      const sent = http.request(url, { method, headers, agent: false });
      sent.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode, headers: response.headers, text: '' });
      });
      sent.on('response', (response) => {
        let text = '';
        const done = () => resolve({ status: response.statusCode, headers: response.headers, text });
        response.on('data', (chunk) => {
          text += chunk;
          if (response.statusCode === 200 && /^text\/(plain;charset|event)/.test(response.headers['content-type'])) {
            done();
            sent.destroy();
          }
        });
        response.on('end', done);
        response.on('error', done);
      });
      sent.on('error', reject);
      sent.end(body);
    });
    return within(`the answer to ${method} ${url}`, answer);
  }

  /** Asks for an operation, such as 'post /event', and expects this status, described as it comes. */
  async function ask(operation, expected, { query = {}, body, headers = {}, method, id, direct = false } = {}) {
    const [verb, target] = operation.split(' ');
    const words = new URLSearchParams(query).toString();
    const base = direct ? stack.url : bound.url.slice(0, -1);
    const url = `${base}${target.replace('{id}', id)}${words && '?'}${words}`;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const length = text === undefined ? {} : { 'Content-Length': Buffer.byteLength(text) };
    const answer = await send(url, { method: method ?? verb.toUpperCase(), headers: { ...length, ...headers }, body: text });
    assert.equal(answer.status, expected, `${operation}: ${answer.text.slice(0, 300)}`);
    expectDescribed(operation, verb, target, answer);
    seen.add(`${operation} ${answer.status}`);
    return answer.text.startsWith('{') ? JSON.parse(answer.text) : answer.text;
  }

  function expectDescribed(operation, verb, target, { status, headers, text }) {
    const [place, response] = described.at(['paths', target, verb, 'responses', String(status)]);
    assert.ok(response, `${operation} ${status} is described: ${text.slice(0, 200)}`);
    const type = headers['content-type']?.split(';')[0];
    if (response.content === undefined) {
      assert.equal(text, '', `${operation} ${status} has no body`);
      return;
    }
    assert.ok(response.content[type], `${operation} ${status} may be ${type}`);
    const value = type === 'application/json' ? JSON.parse(text) : text;
    const fault = described.fault([...place, 'content', type, 'schema'], value);
    assert.equal(fault, '', `${operation} ${status}: ${text.slice(0, 400)}`);
  }

  const token = () => ({ Authorization: `Bearer ${stack.publishToken}` });
  const admin = () => ({ Authorization: `Bearer ${stack.adminToken}` });
  const signed = (more) => ticket(claims({ ...more }), { secret: TICKET_SECRET });
  const TOO_LARGE = JSON.stringify({ ep: ['a'], x: 'x'.repeat(200_000) });
  const many = { ep: Array.from({ length: 400 }, (_, i) => `${'t'.repeat(200)}/${i}`) };
  const webSocket = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };

  await t.test('subscribing', async () => {
    await ask('post /', 200, { body: { ep: ['news/#'], clid: 'api' } });
    await ask('post /', 400, { body: { ep: 'news' } });
    await ask('post /', 413, { body: TOO_LARGE });
    await ask('post /', 503, { body: many, direct: true });
    await ask('get /', 200, { query: { ticket: signed() } });
    await ask('get /', 400, { query: { ticket: 'x' } });
    await ask('get /', 503, { query: { ticket: signed({ iat: Date.now() / 1000 - 20 }) } });
    await ask('get /sse', 200, { query: { ep: 'news/#' } });
    await ask('get /sse', 400, { query: { clid: 'x' } });
    await ask('post /poll', 200, { body: { ep: ['news/#'], wait: 0 } });
    await ask('post /poll', 400, { body: 'x' });
    await ask('post /poll', 413, { body: TOO_LARGE });
    await ask('post /poll', 503, { body: { ...many, wait: 0 }, direct: true });
    await ask('get /poll', 200, { query: { ep: 'news/#', wait: 0 } });
    await ask('get /poll', 400, { query: { ep: 'news/#', wait: 'long' } });
    await ask('get /poll', 503, { query: { ticket: signed({ iat: Date.now() / 1000 - 20 }) } });
    await ask('get /ws', 101, { query: { ep: 'news/#' }, headers: webSocket });
    await ask('get /ws', 400, { query: { ticket: 'x' }, headers: webSocket });
    await ask('get /ws', 426, { query: { ep: 'a' }, direct: true });
    await ask('get /ws', 503, { query: { ticket: signed({ iat: Date.now() / 1000 - 20 }) }, headers: webSocket });
  });

  await t.test('who was dropped is refused', async () => {
    const proof = { uid: 'ana', sid: 'gone', ep: [{ topic: 'x', private: true }] };
    const old = Array.from({ length: 5 }, () => signed(proof));
    const later = Date.now() + 1;
    await until('a moment has passed', () => Date.now() > later);
    await ask('post /drop', 200, { body: { uid: 'ana', for: 600 }, headers: token() });
    await ask('get /', 403, { query: { ticket: old[0] } });
    await ask('get /sse', 403, { query: { ticket: old[1] } });
    await ask('get /poll', 403, { query: { ticket: old[2] } });
    await ask('get /ws', 403, { query: { ticket: old[3] }, headers: webSocket });
    await until('another moment has passed', () => Date.now() > later + 2);
    const poll = await ask('get /poll', 200, { query: { ticket: signed(proof), wait: 0 } });
    assert.equal(poll.events[0].e.detail.identity.uid, 'ana', 'with a newer proof');
    const stream = await Subscriber.open(`${stack.url}/?ticket=${signed(proof)}`);
    const { connid, secret } = stream;
    await ask('post /alive', 403, { body: { connid, secret, ticket: old[4] } });
    await stream.close();
  });

  await t.test('staying', async () => {
    const stream = await stack.subscribe(['alive']);
    const { connid, secret } = stream;
    await ask('post /alive', 200, { body: { connid, secret } });
    await ask('post /alive', 400, { body: { connid, secret: 'x' } });
    await ask('post /alive', 400, { body: '[]' });
    await ask('post /alive', 413, { body: TOO_LARGE });
    await stream.close();
  });

  await t.test('who is listening', async () => {
    const ep = [{ topic: 'bound/end', binded: true }];
    await ask('post /ticket', 200, { body: { ep, bind_key: bindKey('ana') } });
    await ask('post /ticket', 400, { body: { ep, bind_key: 'x' } });
    await ask('post /ticket', 413, { body: TOO_LARGE });
    const pair = await ask('post /token', 200, { body: { bind_key: bindKey('luis') } });
    await ask('post /token', 400, { body: { bind_key: 'x' } });
    await ask('post /token', 400, { body: { nothing: 1 } });
    await ask('post /token', 413, { body: TOO_LARGE });
    await ask('delete /token', 204, { body: { refresh_token: pair.refresh_token } });
    await ask('delete /token', 400, { body: '[]' });
  });

  await t.test('publishing', async () => {
    const e = { type: 'x', detail: 1 };
    const post = (expected, body, more = {}) => ask('post /event', expected, { body, headers: token(), ...more });
    await post(200, { ep: ['allowed', { topic: 'allowed', keep: true }], e });
    await post(200, { ep: ['allowed'], e, id: 'twice' });
    await post(200, { ep: ['allowed'], e, id: 'twice' });
    await post(409, { ep: ['allowed'], e: { type: 'y' }, id: 'twice' });
    await post(200, { events: [{ ep: ['allowed'], e }, { ep: [], e }] });
    await post(400, { ep: [], e });
    await post(400, { ep: [{ topic: 'a', more: 1 }], e });
    await post(403, { ep: ['@SERVER@/x'], e });
    await post(403, { ep: [{ topic: 'nowhere', binded: true }], e, bind_key: bindKey('ana') });
    await post(403, { ep: ['not-allowed'], e }, { headers: { Authorization: `Bearer ${SLOW}` } });
    await ask('post /event', 404, { body: { ep: ['a'], e } });
    await ask('post /event', 405, { method: 'PUT', body: { ep: ['a'], e }, headers: token() });
    await post(413, { ep: ['a'], e: { type: 'x', detail: 'x'.repeat(1_000_001) } });
    await until('the publisher is too fast', async () => {
      const body = JSON.stringify({ ep: ['allowed'], e });
      const answer = await send(`${bound.url}event`, { method: 'POST', body, headers: { Authorization: `Bearer ${SLOW}`, 'Content-Length': body.length } });
      expectDescribed('post /event', 'post', '/event', answer);
      seen.add(`post /event ${answer.status}`);
      return answer.status === 429;
    });
    const { id } = await ask('get /event', 200, { headers: token() });
    await ask('get /event', 404);
    const stream = await stack.subscribe({ ep: ['told'], report: true });
    const told = await post(200, { ep: ['told'], e, report: true });
    const report = await ask('get /event/{id}', 200, { id: told.id, headers: token() });
    assert.equal(report.missing[0].state, 'open');
    await stream.close();
    await ask('get /event/{id}', 404, { id, headers: token() });
    await ask('get /event/{id}', 400, { id: 'none', headers: token() });
  });

  await t.test('a handler that takes what the daemon does not', async () => {
    const fanout = { ...stack.config.fanout, max_topic_levels: 100 };
    stack.writeConfig({ fanout, handoff: { mode: 'accel', url: `${stack.url}/` } });
    stack.handlers[0].signal('SIGHUP');
    const body = { ep: [Array.from({ length: 80 }, () => 'l').join('/')], e: { type: 'x' } };
    await until('the handler takes it', async () => (await stack.post(body, { url: `${bound.url}event` })).status === 422);
    await ask('post /event', 422, { body, headers: token() });
  });

  await t.test('ending streams', async () => {
    await ask('post /drop', 200, { body: { clid: 'nobody' }, headers: token() });
    await ask('post /drop', 400, { body: {}, headers: token() });
    await ask('post /drop', 403, { body: { clid: 'x' }, headers: { Authorization: `Bearer ${SLOW}` } });
    await ask('post /drop', 404, { body: { clid: 'x' } });
  });

  await t.test('looking in', async () => {
    const stream = await stack.subscribe({ ep: ['a'], clid: 'seen' });
    await ask('get /connections', 200, { headers: admin() });
    await ask('get /connections', 200, { headers: admin(), query: { clid: 'seen' } });
    await ask('get /connections', 200, { headers: admin(), query: { details: 'true' } });
    await ask('get /connections', 400, { headers: admin(), query: { details: 'true', limit: 'all' } });
    await stream.close();
    for (const route of ['connections', 'state', 'memory', 'metrics']) {
      await ask(`get /${route}`, 200, { headers: admin() });
      await ask(`get /${route}`, 401);
    }
    await ask('get /metrics', 200, { headers: { ...admin(), Accept: 'application/openmetrics-text' } });
    await ask('get /healthz', 200);
    await ask('get /readyz', 200);
  });

  // The last one, since the daemon is gone then.
  await t.test('while the daemon is away', async () => {
    await stack.endTaking();
    const e = { type: 'x' };
    await ask('post /event', 503, { body: { ep: ['a'], e }, headers: token() });
    await ask('get /event', 503, { headers: token() });
    await ask('get /event/{id}', 503, { id: '1-1', headers: token() });
    await ask('post /drop', 503, { body: { clid: 'x' }, headers: token() });
    await ask('post /alive', 503, { body: { connid: 1, secret: 'x' } });
    for (const route of ['connections', 'state', 'memory', 'metrics', 'healthz', 'readyz']) {
      await ask(`get /${route}`, 503, { headers: admin() });
    }
  });

  await t.test('every answer that is described has occurred', () => {
    const all = Object.entries(described.document.paths).flatMap(([target, operations]) =>
      Object.entries(operations).flatMap(([verb, { responses }]) => Object.keys(responses).map((status) => `${verb} ${target} ${status}`)));
    assert.deepEqual(all.filter((answer) => !seen.has(answer)), []);
    assert.ok(all.length > 70);
  });
});
