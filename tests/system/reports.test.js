'use strict';

// Reports: who had an event that was posted with `report`, by what clients say themselves.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { request } = require('./lib/http');
const { programs } = require('./lib/paths');
const { RawConnection } = require('./lib/raw');
const { signedHeaders } = require('./lib/signing');
const { Stack } = require('./lib/stack');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { WebSocketPeer } = require('./lib/websocket');

const SECRET = 'the secret of the tickets of these tests';
const NO_WITHIN = /within is not to be had .* ask GET \/event\/ID instead/;
const TOPIC = 'orders/4711';
const secretOf = (name) => `the secret of ${name}, 0123456789 and more`;
const publishers = [
  ['shop', 'topics = #\nmay = report users whisper private'],
  ['other', 'topics = #\nmay = report'],
  ['plain', 'topics = #\nmay = none'],
  ['signer', 'topics = #\nmay = report\nsigned = yes'],
];

async function startStack(config = {}) {
  const stack = new Stack('reports', {
    handlers: 1,
    lines: true,
    config: { ...config, publish: { publishers_file: 'publishers.conf' }, ticket: { secret_file: 'ticket.secret' } },
  });
  stack.writeTokens('ticket.secret', [SECRET]);
  for (const [name] of publishers) {
    stack.writeTokens(`${name}.key`, [secretOf(name)]);
  }
  const sections = publishers.map(([name, keys]) => `[${name}]\nsecret_file = ${name}.key\n${keys}\n`);
  fs.writeFileSync(path.join(stack.folder, 'publishers.conf'), sections.join(''));
  await stack.start();
  return stack;
}

const event = (type, more) => ({ ep: [TOPIC], e: { type }, report: true, ...more });

async function publish(stack, type, more, options) {
  const answer = await stack.post(event(type, more), options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

const ask = (stack, id, { token = stack.publishToken, headers = {}, method = 'GET' } = {}) =>
  request(`${stack.eventUrl}/${id}${token ? `?token=${encodeURIComponent(token)}` : ''}`, { method, agent: false, headers });

async function reportOf(stack, id, options) {
  const answer = await ask(stack, id, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.id, id);
  return answer.json;
}

const says = (stack, { connid, secret }, had, more) =>
  request(`${stack.url}/alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret, had, ...more }) });

const poll = async (stack, body) =>
  (await request(`${stack.url}/poll`, { method: 'POST', agent: false, body: JSON.stringify(body) })).json;

const dated = (more) => claims({ iat: Date.now() / 1000, ...more });
const proof = (more) => ticket(dated(more), { secret: SECRET });

/** Each opens a stream of `body`, gives the frame of an event, and says that it had it. */
const WAYS = {
  frames: {
    open: (stack, body) => Subscriber.open(`${stack.url}/`, body),
    frame: async (client, type) => (await client.takeUntil(type)).at(-1).json,
    had: (stack, client, id, connected) => says(stack, connected, id),
    close: (client) => client.close(),
  },
  'Server-Sent Events': {
    open: (stack, { ep, clid, report }) => EventStream.open(`${stack.url}/sse?ep=${ep}&clid=${clid}${report ? '&report=true' : ''}`),
    frame: async (client, type) => (await client.takeUntil(type)).at(-1).json,
    had: (stack, client, id, connected) => says(stack, connected, id),
    close: (client) => client.close(),
  },
  WebSocket: {
    open: (stack, { ep, clid, report }) => WebSocketPeer.open(stack.port, `/ws?ep=${ep}&clid=${clid}${report ? '&report=true' : ''}`),
    frame: async (client, type) => (await takeUntil(client, type)).at(-1),
    had: (stack, client, id) => client.say({ had: id }),
    close: (client) => client.destroy(),
  },
  'raw TCP': {
    open: (stack, body) => LinePeer.open(stack.linesPort, body),
    frame: async (client, type) => (await takeUntil(client, type)).at(-1),
    had: (stack, client, id) => client.say({ had: id }),
    close: (client) => client.destroy(),
  },
};

describe('reports', () => {
  let stack;
  before(async () => {
    stack = await startStack({ fanout: { poll_gap: '0ms' } });
  });
  after(() => stack?.stop());
  afterEach(async () => {
    RawConnection.destroyAll();
    await stack.untilTotal(0);
  });

  for (const [name, way] of Object.entries(WAYS)) {
    test(`${name}: a client says what it had; one that says nothing is only sent it`, async () => {
      const client = await way.open(stack, { ep: [TOPIC], clid: 'says', report: true });
      const silent = await way.open(stack, { ep: [TOPIC], clid: 'silent' });
      const { connected } = client;
      const { id, receivers } = await publish(stack, 'x');
      assert.equal(receivers, 2);
      const frame = await way.frame(client, 'x');
      assert.equal(frame.report, true);
      const before = await reportOf(stack, id);
      const { connid } = connected;
      const { ms, ...missing } = before.missing[0];
      assert.deepEqual({ ...before, missing }, { id, sent: 2, had: 0, missing: { connid, clid: 'says', state: 'open' } });
      assert.ok(ms >= 0, `${ms}`);
      await way.had(stack, client, frame.id, connected);
      const had = await until('it had it', async () => ((report) => report.had === 1 && report)(await reportOf(stack, id)));
      assert.deepEqual(had, { id, sent: 2, had: 1, missing: [] });
      await Promise.all([way.close(client), way.close(silent)]);
      await stack.untilTotal(0);
      assert.deepEqual(await reportOf(stack, id), had);
    });
  }

  test('long-poll: the next request says it', async () => {
    const first = await poll(stack, { ep: [TOPIC], clid: 'phone', report: true, wait: 0 });
    const { connid, secret } = first.events[0].e.detail;
    const { id } = await publish(stack, 'x');
    const who = { ep: [TOPIC], clid: 'phone', report: true, connid, secret };
    const second = await poll(stack, { ...who, last_id: first.id });
    assert.equal(second.events.at(-1).e.type, 'x');
    const { missing, ...report } = await reportOf(stack, id);
    assert.deepEqual(report, { id, sent: 1, had: 0 });
    assert.deepEqual({ ...missing[0], ms: 0 }, { connid, clid: 'phone', state: 'gone', ms: 0 });
    await poll(stack, { ...who, last_id: second.id, wait: 0 });
    assert.deepEqual(await reportOf(stack, id), { id, sent: 1, had: 1, missing: [] });
  });

  test('what is said counts for what was sent to this stream, up to there', async () => {
    const client = await stack.subscribe({ ep: [TOPIC], report: true });
    const ids = [];
    for (const type of ['a', 'b', 'c']) {
      ids.push((await publish(stack, type)).id);
    }
    const had = async () => (await Promise.all(ids.map((id) => reportOf(stack, id)))).map((report) => report.had);
    const [epoch, sequence] = ids[1].split('-').map(Number);
    for (const id of [`${epoch - 1}-${sequence}`, `${epoch + 1}-${sequence}`, 'x', '', `${epoch}-0`]) {
      assert.equal((await says(stack, client.connected, id)).status, 200, id);
      assert.deepEqual(await had(), [0, 0, 0], id);
    }
    assert.equal((await says(stack, { ...client.connected, secret: 'f'.repeat(32) }, ids[2])).status, 400);
    assert.equal((await says(stack, client.connected, 7)).status, 400);
    assert.deepEqual(await had(), [0, 0, 0]);
    await says(stack, client.connected, ids[1]);
    assert.deepEqual(await had(), [1, 1, 0]);
    await client.close();
  });

  test('saying what it had renews nothing, and is no promise', async () => {
    const client = await stack.subscribe({ ep: [TOPIC], report: true });
    const { id } = await publish(stack, 'x');
    for (let i = 0; i < 100; i++) {
      const answer = await says(stack, client.connected, id);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.secret, client.secret);
    }
    await client.close();
  });

  test('a stream that broke off has a user and a name, and what it had when it comes back', async () => {
    const open = (more) => Subscriber.open(`${stack.url}/?${new URLSearchParams({ ticket: proof({ uid: 'ana', clid: 'tablet', ...more.ticket }), ...more.query })}`);
    const ep = [TOPIC, { topic: '@USER@', private: true }];
    const client = await open({ ticket: { ep }, query: { report: true } });
    const { id } = await publish(stack, 'a');
    const [frame] = (await client.takeUntil('a')).slice(-1);
    const after_ = (await publish(stack, 'b', { ep: [{ topic: TOPIC, to: ['ana', 'eva'] }] })).id;
    await client.takeUntil('b');
    await client.close();
    await stack.untilTotal(0);
    for (const one of [id, after_]) {
      const { missing } = await reportOf(stack, one);
      assert.deepEqual({ ...missing[0], ms: 0 }, { connid: client.connid, uid: 'ana', clid: 'tablet', state: 'gone', ms: 0 });
    }
    const { connid, secret } = client;
    const again = await open({ ticket: { ep, last_id: frame.json.id }, query: { report: true, connid, secret } });
    assert.equal(again.connid, connid);
    await again.takeUntil('b');
    assert.deepEqual(await reportOf(stack, id), { id, sent: 1, had: 1, missing: [] });
    const later = await reportOf(stack, after_);
    assert.deepEqual([later.sent, later.had, later.missing[0].state], [1, 0, 'open'], 'it came again, and nobody said anything yet');
    await says(stack, again, after_);
    assert.deepEqual(await reportOf(stack, after_), { id: after_, sent: 1, had: 1, missing: [] });
    await again.close();
  });

  test('what was lost and comes no more is never had', async () => {
    const who = { ep: ['lost', 'kept'], clid: 'page', report: true };
    const client = await stack.subscribe(who);
    const lost = (await publish(stack, 'lost', { ep: ['lost'] })).id;
    await client.close();
    await stack.untilTotal(0);
    const { connid, secret } = client;
    // It comes back with other topics: what it missed of the first one stays missed, whatever it hears then.
    const again = await stack.subscribe({ ...who, ep: ['kept'], connid, secret, last_id: client.connected.id });
    const kept = (await publish(stack, 'kept', { ep: ['kept'] })).id;
    await again.takeUntil('kept');
    await says(stack, again, kept);
    assert.deepEqual([(await reportOf(stack, lost)).had, (await reportOf(stack, kept)).had], [0, 1]);
    await again.close();
  });

  test('a WebSocket that comes back says its last id with its first topics', async () => {
    const client = await WebSocketPeer.open(stack.port, `/ws?ep=${TOPIC}&report=true`);
    const { id } = await publish(stack, 'x');
    await takeUntil(client, 'x');
    client.destroy();
    await stack.untilTotal(0);
    const { connid, secret } = client.connected;
    const again = await WebSocketPeer.open(stack.port, `/ws?${new URLSearchParams({ connid, secret, report: true })}`);
    assert.equal((await reportOf(stack, id)).had, 0);
    await again.say({ subscribe: [TOPIC], last_id: id });
    await takeUntil(again, 'subscribed');
    assert.deepEqual(await reportOf(stack, id), { id, sent: 1, had: 1, missing: [] });
  });

  test('who was away is counted when it gets the event', async () => {
    const { id } = await publish(stack, 'x');
    assert.deepEqual(await reportOf(stack, id), { id, sent: 0, had: 0, missing: [] });
    const [epoch, sequence] = id.split('-');
    const late = [];
    for (let i = 0; i < 3; i++) {
      late.push(await stack.subscribe({ ep: [TOPIC], report: true, last_id: `${epoch}-${sequence - 1}` }));
      await late[i].takeUntil('x');
    }
    const report = await reportOf(stack, id);
    assert.deepEqual([report.sent, report.had, report.missing.length], [3, 0, 3]);
    await Promise.all(late.map((one) => one.close()));
  });

  test('whispers, private events and batches have reports too; an event under two topics is one', async () => {
    const client = await Subscriber.open(`${stack.url}/?report=true&ticket=${proof({ uid: 'ana', ep: ['#', TOPIC, { topic: TOPIC, private: true }] })}`);
    const { connid } = client;
    for (const ep of [[{ topic: TOPIC, whisper: connid }], [{ topic: TOPIC, private: true }], [TOPIC]]) {
      const { id } = await publish(stack, 'x', { ep });
      assert.equal((await client.takeUntil('x')).at(-1).json.report, true);
      assert.equal((await reportOf(stack, id)).sent, 1);
    }
    const batch = await stack.post({ events: [event('y'), event('z', { report: false })] });
    const [y, z] = batch.json.events.map((one) => one.id);
    const frames = (await client.takeUntil('z')).map(({ json }) => [json.e.type, json.report]);
    assert.deepEqual(frames.slice(-1), [['z', undefined]]);
    assert.equal((await reportOf(stack, y)).sent, 1);
    assert.equal((await ask(stack, z)).status, 404);
    await client.close();
  });

  test('a publisher sees reports of its own events, when it may', async () => {
    const shop = { token: secretOf('shop') };
    const { id } = await publish(stack, 'x', {}, shop);
    assert.equal((await reportOf(stack, id, shop)).sent, 0);
    assert.equal((await reportOf(stack, id)).sent, 0, 'a token of the token_file may do everything');
    const statuses = [];
    for (const token of [secretOf('other'), secretOf('plain'), secretOf('nobody'), null]) {
      const { status, json } = await ask(stack, id, { token });
      statuses.push([status, json.error]);
    }
    assert.deepEqual(statuses, [
      [404, 'No report of this event'],
      [403, 'Not yours'],
      [404, 'Not found'],
      [404, 'Not found'],
    ]);
    const refused = await stack.post(event('x'), { token: secretOf('plain') });
    assert.deepEqual([refused.status, refused.json.error, refused.json.detail], [403, 'Not yours', '`may` of the publisher does not have report']);
    assert.equal((await stack.post(event('x', { report: false }), { token: secretOf('plain') })).status, 200);
  });

  test('the operator asks with esnctl', async () => {
    const client = await stack.subscribe({ ep: [TOPIC], clid: 'tablet', report: true });
    const { id } = await publish(stack, 'x');
    const esnctl = (...words) => spawnSync(programs.esnctl, ['report', '--config', stack.file, ...words], { encoding: 'utf8' });
    const told = esnctl(id);
    assert.match(told.stdout, new RegExp(`^sent 1, had 0, missing 1\\n${client.connid} +open +\\d+ ms  tablet\\n$`), told.stderr);
    assert.deepEqual(JSON.parse(esnctl('--json', id).stdout).missing[0].clid, 'tablet');
    const wrong = [esnctl('1-1'), esnctl('x'), esnctl()].map(({ status, stderr }) => [status, /no report|no id|needs the ID/.test(stderr)]);
    assert.deepEqual(wrong, [[1, true], [2, true], [2, true]]);
    await client.close();
  });

  test('a question may be signed', async () => {
    const url = `${stack.eventUrl}/1-1`;
    const signed = (more) => signedHeaders({ url, method: 'GET', body: '', keyid: 'signer', key: secretOf('signer'), ...more });
    assert.equal((await ask(stack, '1-1', { token: null, headers: signed() })).json.error, 'No report of this event');
    assert.equal((await ask(stack, '1-2', { token: null, headers: signed() })).json.error, 'Not found');
  });

  test('what is asked or posted wrongly is told so', async () => {
    for (const id of ['x', '1-', '1-x', '1-2-3', '-1-2', '99999999999999999999-1', '1-2%20']) {
      assert.deepEqual([id, (await ask(stack, id)).status], [id, 400]);
    }
    const method = await ask(stack, '1-1', { method: 'POST' });
    assert.deepEqual([method.status, method.headers.allow], [405, 'GET, OPTIONS']);
    const point = { topic: TOPIC, to: ['ana'] };
    const wrong = [
      [{ report: 'yes' }, /report should be true/],
      [{ report: 1 }, /report should be true/],
      [{ report: {} }, /report should be true/],
      [{ report: { within: 5, more: 1 }, ep: [point] }, /report should be true/],
      [{ report: { within: '5s' }, ep: [point] }, /within should be a number/],
      [{ report: { within: 0.5 }, ep: [point] }, /within should be a number/],
      [{ report: { within: 601 }, ep: [point] }, /within should be a number/],
      [{ report: { within: 5 } }, /within needs users/],
      [{ report: { within: 5 }, ep: [point, TOPIC] }, /within needs users/],
    ];
    for (const [more, detail] of wrong) {
      const answer = await stack.post(event('x', more));
      assert.deepEqual([answer.status, answer.json.error], [400, 'Invalid report'], JSON.stringify(more));
      assert.match(answer.json.detail, stack.engine.tellsUndelivered || !/within/.test(detail.source) ? detail : NO_WITHIN);
    }
    assert.equal((await stack.post(event('x', { report: null }))).status, 200);
  });
});

/** With an engine that does not tell it a post is refused, and says what to do instead. */
async function checkWithinIsRefused(stack) {
  const answer = await stack.post(event('paid', { ep: [{ topic: TOPIC, to: ['away'] }], report: { within: 3 } }));
  assert.deepEqual([answer.status, answer.json.error], [400, 'Invalid report'], answer.text);
  assert.match(answer.json.detail, NO_WITHIN);
}

const told = ({ json }) => {
  const { id, topic, uid, sent } = json.e.detail;
  return [json.ep.requested, json.e.type, id, topic, uid, sent];
};

/** Posts to users of whom each is another case, and asserts who is told to have had nothing. */
async function checkUndelivered(log) {
  const stack = await startStack({ log });
  try {
    if (!stack.engine.tellsUndelivered) {
      await checkWithinIsRefused(stack);
      return;
    }
    const inbox = (uid, report) => Subscriber.open(`${stack.url}/?report=${report}&ticket=${proof({ uid, ep: [{ topic: '@USER@', private: true }] })}`);
    const topics = ['@SERVER@/undelivered', '@SERVER@/undelivered/shop', 'end'].map((topic) => ({ topic, private: true }));
    const watcher = await Subscriber.open(`${stack.url}/?ticket=${proof({ uid: 'mailer', ep: topics })}`);
    const ep = [{ topic: TOPIC, to: ['away', 'had', 'late', 'mute', 7] }];
    const clients = { had: await inbox('had', true), mute: await inbox('mute', false), 7: await inbox('7', true) };
    const { id } = await publish(stack, 'paid', { ep, report: { within: 3 }, id: 'once' }, { token: secretOf('shop') });
    await clients.had.takeUntil('paid');
    await says(stack, clients.had.connected, id);
    const open = await publish(stack, 'x', { ep: [{ topic: "it's", to: ["o'neil"] }], report: { within: 1 } });
    const first = (await watcher.until('two are told', () => watcher.frames.length >= 4)) && watcher.frames.slice(1).map(told);
    const shop = '@SERVER@/undelivered/shop';
    const sorted = (list) => list.map((one) => JSON.stringify(one)).sort();
    const expected = [
      [shop, 'undelivered', id, TOPIC, 'away', 0],
      [shop, 'undelivered', id, TOPIC, 'late', 0],
      ['@SERVER@/undelivered', 'undelivered', open.id, "it's", "o'neil", 0],
    ];
    assert.deepEqual(sorted(first), sorted(expected));
    // Whoever was sent it gets some time more to say so.
    const late = await inbox('late', true);
    await says(stack, late.connected, id);
    assert.deepEqual(told(await watcher.until('the third is told', () => watcher.frames[4])), [shop, 'undelivered', id, TOPIC, '7', 1]);
    await publish(stack, 'end', { ep: [{ topic: 'end', private: true }], report: false });
    await watcher.takeUntil('end');
    await until('all is settled', async () => (await ask(stack, id)).json.had === 1);
    await Promise.all([watcher, late, ...Object.values(clients)].map((client) => client.close()));
  } finally {
    await stack.stop();
  }
}

test('a publisher is told, once, which users had not had it in time; with the log in memory and on disk', () =>
  Promise.all([checkUndelivered({}), checkUndelivered({ path: 'log.db', sync: 'always' })]));

describe('what is remembered of reports', () => {
  let stack;
  const start = async (log) => {
    stack = await startStack({ log });
  };
  afterEach(() => stack?.stop());

  test('it is forgotten after report_time', async () => {
    await start({ report_time: '1s' });
    const client = await stack.subscribe({ ep: [TOPIC], report: true });
    const { id } = await publish(stack, 'x');
    await until('the report is forgotten', async () => (await ask(stack, id)).status === 404);
    await until('its memory is given back', async () => (await stack.look('/state')).reports === 0);
    assert.equal((await says(stack, client.connected, id)).status, 200);
    await client.close();
  });

  test('it has a measure of bytes: the oldest are given up, never an untrue one', async () => {
    await start({ report_time: '10m', max_report_bytes: '65536' });
    const clients = [];
    for (let i = 0; i < 20; i++) {
      clients.push(await stack.subscribe({ ep: [TOPIC], report: true }));
    }
    const ids = [];
    for (let i = 0; i < 50; i++) {
      ids.push((await publish(stack, 'x')).id);
    }
    const answers = await Promise.all(ids.map((id) => ask(stack, id)));
    const kept = answers.map(({ status }) => status);
    const first = kept.indexOf(200);
    assert.ok(first > 0 && first < 50, `${first}`);
    assert.deepEqual(kept, [...Array(first).fill(404), ...Array(50 - first).fill(200)]);
    for (const { json } of answers.slice(first)) {
      assert.deepEqual([json.sent, json.missing.length], [20, 20]);
    }
    const state = await stack.look('/state');
    assert.equal(state.reports_given_up, first);
    assert.ok((await stack.look('/memory')).reports <= 65536 + 4096);
    await Promise.all(clients.map((client) => client.close()));
  });

  test('with no bytes there are none, and a restart forgets them', async () => {
    await start({ report_time: '10m' });
    const { id } = await publish(stack, 'x');
    assert.equal((await ask(stack, id)).status, 200);
    await stack.daemon.end();
    stack.writeConfig({ log: { max_report_bytes: '0' } });
    await stack.startDaemon();
    await stack.publishInTheEnd('anywhere', 'back');
    assert.equal((await ask(stack, id)).status, 404);
    assert.equal((await ask(stack, (await publish(stack, 'x')).id)).status, 404);
  });

  test('an answer names a thousand, and counts the rest', async () => {
    await start({ report_time: '10m' });
    const holder = await stack.hold(1100, { words: ['--port', String(stack.port), '--ep', TOPIC, '--report'] });
    const { id } = await publish(stack, 'x');
    const report = await reportOf(stack, id);
    assert.deepEqual([report.sent, report.had, report.missing.length, report.more], [1100, 0, 1000, 100]);
    await holder.end('SIGKILL');
  });
});
