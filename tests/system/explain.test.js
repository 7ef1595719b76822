'use strict';

// esnctl explain: each cause of "it does not arrive" is brought about, and named with its time.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { bindKey } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { runCgi } = require('./lib/cgi');
const { request } = require('./lib/http');
const { programs, source } = require('./lib/paths');
const { run } = require('./lib/program');
const { Subscriber } = require('./lib/subscriber');
const { claims, ticket } = require('./lib/tickets');
const { SECRET, accessToken } = require('./lib/tokens');
const { LinePeer, ask } = require('./lib/two-way');
const { until } = require('./lib/wait');
const { freePort } = require('./lib/ports');
const { Stack } = require('./lib/stack');

const TICKETS = 'the secret of the tickets of these tests';
const SHOP = 'the secret of the shop, 0123456789';
const SLACK_MS = 1000; // the time of an event is that of the turn of the loop in which it came

const publishers = `[shop]
secret_file = shop.key
topics = shop/#
may = none
[fast]
secret_file = fast.key
topics = #
may = report users whisper private bound
rate = 1
`;

test('each cause is in docs/operate.md, and is brought about by a test', () => {
  const text = (file) => fs.readFileSync(path.join(source, file), 'utf8');
  const named = [...text('esnctl/explain_words.c').matchAll(/^ {4}\{"([a-z-]+)",/gm)].map(([, name]) => name);
  const names = [...named, 'never', 'forgotten', 'another-log', 'nobody'];
  assert.ok(named.length > 20, String(named));
  assert.deepEqual(names.filter((name) => !text('docs/operate.md').includes(`\`${name}\``)), []);
  const tests = text('tests/system/explain.test.js').replace("'never', 'forgotten', 'another-log', 'nobody'", '');
  assert.deepEqual(names.filter((name) => !new RegExp(`['\\[]${name}['\\]\\\\]`).test(tests)), []);
});

describe('esnctl explain', () => {
  let bound;
  let stack;
  let linesPort;
  before(async () => {
    linesPort = await freePort();
    bound = await Bound.start({
      config: {
        token: { keys_file: 'token.keys' },
        publish: { publishers_file: 'publishers.conf' },
        fanout: { listen_lines: `127.0.0.1:${linesPort}`, max_pending: '64k', max_pending_soft: '16k', soft_time: '1h' },
      },
      prepare: (own) => {
        own.writeTokens('token.keys', [SECRET]);
        own.writeTokens('shop.key', [SHOP]);
        own.writeTokens('fast.key', [`${SHOP} 2`]);
        fs.writeFileSync(path.join(own.folder, 'publishers.conf'), publishers);
      },
    });
    stack = bound.stack;
  });
  after(() => bound?.stop());
  afterEach(() => stack.untilTotal(0));

  const esnctl = (words) => run([programs.esnctl, 'explain', ...words], { env: { ESN_CONF: stack.file } });

  /** The daemon's JSON; the sentences have to name the same causes. */
  async function explain(...words) {
    const [json, text] = await Promise.all([esnctl(['--json', ...words]), esnctl(words)]);
    assert.equal(json.code, 0, json.stderr);
    assert.equal(text.code, 0, text.stderr);
    const answer = JSON.parse(json.stdout);
    for (const { cause } of answer.streams ?? []) {
      if (cause) {
        assert.ok(text.stdout.includes(`[${cause}]`), `${cause} in ${text.stdout}`);
      }
    }
    return { ...answer, text: text.stdout };
  }

  /** Does something; gives what came of it and the time that it took. */
  async function timed(what) {
    const from = Date.now();
    const value = await what();
    return { value, from, to: Date.now() };
  }

  const isWithin = (at, { from, to }) =>
    assert.ok(at >= from - SLACK_MS && at <= to + SLACK_MS, `${at} is between ${from} and ${to}`);

  /** Publishes; gives the event's id and when. */
  async function publish(point, { type = 'x', ...more } = {}) {
    const { value, ...time } = await timed(() => bound.post(point, { type, ...more }));
    assert.equal(value.status, 200, value.text);
    return { id: value.json.id, receivers: value.json.receivers, ...time };
  }

  const open = (ep, more = {}) => Subscriber.open(`${stack.url}/`, { ep, clid: 'ana', ...more });
  const proof = (more) => ticket(claims({ iat: Date.now() / 1000, uid: 'ana', ...more }), { secret: TICKETS });

  /** The one stream's cause, which has this name, and happened in this time. */
  async function causeOf(event, words, name, time) {
    const answer = await explain(event.id, ...words);
    assert.equal(answer.streams.length, 1, answer.text);
    const [stream] = answer.streams;
    assert.equal(stream.cause, name, answer.text);
    if (time) {
      isWithin(stream.at, time);
    }
    isWithin(answer.event.at, event);
    return stream;
  }

  test('not subscribed, and subscribed to a near name', async () => {
    const cases = [
      [['weather/today'], 'not-subscribed'],
      [['Orders/47'], 'near-name', 'Orders/47', /capital/],
      [['order/47'], 'near-name', 'order/47', /letter/],
      [['orders/47/'], 'near-name', 'orders/47/', /slash/],
      [['weather', 'orders'], 'near-name', 'orders', /levels/],
      [['orders/48'], 'not-subscribed'],
    ];
    for (const [ep, cause, topic, near] of cases) {
      const { value: client, ...came } = await timed(() => open(ep));
      const event = await publish('orders/47');
      const stream = await causeOf(event, ['--connid', String(client.connid)], cause, topic && came);
      assert.equal(stream.topic, topic);
      assert.match(stream.near ?? '', near ?? /^$/);
      await client.close();
      await stack.untilTotal(0);
    }
  });

  test('subscribed later, and not any more', async () => {
    const peer = await LinePeer.open(linesPort, { ep: ['weather'], clid: 'ana' });
    const words = ['--connid', String(peer.connected.connid)];
    const first = await publish('orders/1');
    const came = await timed(() => ask(peer, { subscribe: ['orders/#'] }));
    await causeOf(first, words, 'subscribed-later', came);
    const second = await publish('orders/1');
    await causeOf(second, words, 'written', second);
    const went = await timed(() => ask(peer, { unsubscribe: ['orders/#'] }));
    const third = await publish('orders/1');
    await causeOf(third, words, 'unsubscribed', went);
    await causeOf(second, words, 'written', second);
    peer.destroy();
  });

  test('came later; had it, or catches up, when it comes back', async () => {
    const first = await publish('orders/2');
    const { value: client, ...came } = await timed(() => open(['orders/2']));
    await causeOf(first, ['--connid', String(client.connid)], 'came-later', came);
    const second = await publish('orders/2');
    const { connid, secret } = client.connected;
    await client.takeUntil('x'); // who leaves with something unread is a reset
    const ended = await timed(async () => {
      await client.close();
      await stack.untilTotal(0);
    });
    const third = await publish('orders/2');
    const words = ['--connid', String(connid)];
    const stream = await causeOf(third, words, 'ended', ended);
    assert.equal(stream.reason, 'client');
    const before = await causeOf(second, words, 'written', second);
    isWithin(before.ended, ended);
    const { value: back, ...cameBack } = await timed(() =>
      open(['orders/2'], { connid, secret, last_id: second.id }),
    );
    assert.equal(back.connid, connid);
    await back.takeUntil('x');
    const caught = await causeOf(third, words, 'written', cameBack);
    assert.equal(caught.caught_up, true);
    assert.match((await explain(third.id, ...words)).text, /it had missed it, came back then and was given it from the log$/m);
    await back.close();
    await stack.untilTotal(0);
    const later = await timed(() => open(['orders/2'], { clid: 'later', last_id: third.id }));
    await causeOf(third, ['--clid', 'later'], 'had-before', later);
    await later.value.close();
  });

  test('whispered to another, left out, private, not bound', async () => {
    const [first, second] = [await open(['orders/3']), await open(['orders/3'], { clid: 'ben' })];
    const whispered = await publish({ topic: 'orders/3', whisper: first.connid });
    const stream = await causeOf(whispered, ['--clid', 'ben'], 'whispered', whispered);
    assert.equal(stream.to, first.connid);
    const excepted = await publish({ topic: 'orders/3', except: second.connid });
    await causeOf(excepted, ['--clid', 'ben'], 'excluded', excepted);
    await causeOf(excepted, ['--connid', String(first.connid)], 'written', excepted);
    const hidden = await publish({ topic: 'orders/3', private: true });
    await causeOf(hidden, ['--clid', 'ben'], 'not-private', hidden);
    await bound.add('orders/3', { owner: 'cleo', sub: ['cleo'] });
    const tied = await publish({ topic: 'orders/3', binded: true }, { as: 'cleo' });
    const loose = await causeOf(tied, ['--clid', 'ben'], 'not-bound', tied);
    assert.equal(loose.topic, 'orders/3');
    await Promise.all([first.close(), second.close()]);
  });

  test('without the right, since when; hears no plain events; has no inbox, or another has it', async () => {
    await bound.add('orders/4', { owner: 'cleo', sub: ['ana', 'cleo'] });
    const client = await bound.subscribe('ana', ['orders/4'], { clid: 'tied' });
    const heard = await publish({ topic: 'orders/4', binded: true }, { as: 'cleo' });
    await bound.esnctl('topic', 'revoke', 'sub', 'orders/4', 'ana');
    const words = ['--user', 'ana', '--clid', 'tied'];
    const unheard = await publish({ topic: 'orders/4', binded: true }, { as: 'cleo' });
    const stream = await causeOf(unheard, words, 'no-right', unheard);
    assert.equal(stream.user, 'ana');
    assert.equal(stream.heard_until.id, heard.id);
    isWithin(stream.heard_until.at, heard);
    assert.equal(stream.told, undefined);
    await causeOf(heard, words, 'written', heard);
    const plain = await publish('orders/4');
    assert.equal((await causeOf(plain, words, 'plain-event', plain)).subscribed, 'bound');
    const other = await publish({ topic: 'orders/4', to: ['cleo'] });
    await causeOf(other, words, 'no-inbox');
    await client.close();
    await stack.untilTotal(0);
    const { value: again, ...told } = await timed(() => bound.subscribe('ana', ['orders/4', '@USER@'], { clid: 'told' }));
    const last = await publish({ topic: 'orders/4', binded: true }, { as: 'cleo' });
    isWithin((await causeOf(last, ['--user', 'ana', '--clid', 'told'], 'no-right', last)).told, told);
    const elsewhere = await publish({ topic: 'orders/4', to: ['cleo'] });
    await causeOf(elsewhere, ['--user', 'ana', '--clid', 'told'], 'to-others', elsewhere);
    await again.close();
  });

  test('for whom a bound event was', async () => {
    for (const [topic, sub, whom] of [
      ['whom/1', ['*'], 'everybody'],
      ['whom/2', ['+'], 'all users'],
      ['whom/3', ['cleo'], '1 user'],
      ['whom/4', ['ana', 'cleo'], '2 users'],
    ]) {
      await bound.add(topic, { owner: 'cleo', sub });
      const { id } = await publish({ topic, binded: true }, { as: 'cleo' });
      assert.match((await explain(id)).text, new RegExp(`^event ${id} at .* on ${topic}, bound, for ${whom}$`, 'm'));
    }
  });

  test('closed as slow, and what waits for one that does not read', async () => {
    const client = await open(['big'], { clid: 'slow' });
    client.pause();
    const words = ['--clid', 'slow'];
    const detail = 'x'.repeat(30_000);
    let event;
    let closed;
    const waiting = await until('something waits', async () => {
      closed = await timed(async () => {
        event = await publish('big', { detail });
      });
      const [stream] = (await explain(event.id, ...words)).streams;
      return stream.cause === 'waiting' && stream;
    });
    assert.ok(waiting.bytes > 0);
    await until('it is closed', async () => {
      closed = await timed(() => publish('big', { detail }));
      return (await stack.look('/connections'))['@TOTAL@'] === 0;
    });
    const stream = await causeOf(event, words, 'slow', closed);
    isWithin(stream.queued, event);
    assert.ok(stream.bytes > 0);
    const late = await publish('big');
    assert.equal((await causeOf(late, words, 'ended', closed)).reason, 'slow');
    await client.close();
  });

  test('the proof has ended, and the session was dropped', async () => {
    const { value: client, ...came } = await timed(async () => {
      const stream = await Subscriber.open(`${stack.url}/?ticket=${proof({ ep: ['orders/5'], clid: 'short', until: Date.now() / 1000 + 3 })}`);
      await stream.takeUntil('expired');
      return stream;
    });
    const event = await publish('orders/5');
    assert.equal((await causeOf(event, ['--clid', 'short'], 'ended', came)).reason, 'expired');
    await client.close();
    const second = await Subscriber.open(`${stack.url}/?ticket=${proof({ ep: ['orders/5'], clid: 'gone', uid: 'zoe' })}`);
    const old = proof({ ep: ['orders/5'], clid: 'gone', uid: 'zoe' });
    await until('the clock goes on', ((now) => () => Date.now() > now)(Date.now()));
    const dropped = await timed(() =>
      run([programs.esnctl, 'drop', '--for', '60', 'uid', 'zoe'], { env: { ESN_CONF: stack.file } }),
    );
    assert.equal(dropped.value.code, 0, dropped.value.stderr);
    await second.takeUntil('dropped');
    const refused = await timed(() => request(`${stack.url}/?ticket=${old}`, { agent: false }));
    assert.equal(refused.value.status, 403);
    const missed = await publish('orders/5');
    const answer = await explain(missed.id, '--user', 'zoe');
    assert.equal(answer.streams[0].cause, 'ended');
    assert.equal(answer.streams[0].reason, 'dropped');
    isWithin(answer.streams[0].at, dropped);
    assert.match(answer.refused.at(-1).reason, /dropped since/);
    isWithin(answer.refused.at(-1).at, refused);
    assert.match(answer.text, /refused to subscribe at .*dropped since/);
    await second.close();
  });

  test('not granted, by the daemon and by esn-subscribe', async () => {
    const topic = 'orders/6';
    const refused = await timed(() =>
      request(`${stack.url}/`, { method: 'POST', agent: false, body: JSON.stringify({ clid: 'bare', ep: [{ topic, private: true }] }) }),
    );
    assert.equal(refused.value.status, 400);
    const event = await publish({ topic, private: true });
    const answer = await explain(event.id, '--clid', 'bare');
    assert.deepEqual(answer.streams, []);
    assert.match(answer.text, /\[nobody\]/);
    assert.equal(answer.refused.length, 1, answer.text);
    isWithin(answer.refused[0].at, refused);
    const token = accessToken('mia', { claims: { esn: { sub: ['other/#'] } } });
    const asked = await request(bound.url, { method: 'POST', agent: false, body: JSON.stringify({ ep: [{ topic, private: true }], token }) });
    assert.equal(asked.status, 400);
    assert.match(asked.text, /Not granted/);
    const log = path.join(stack.folder, 'esn-subscribe.log');
    const ended = await esnctl(['--as', 'mia', topic, '--messages', log]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /message: .*topic not granted.*orders\/6.*mia/);
    const ofUser = await esnctl(['--as', 'mia', 'another/topic', '--messages', log]);
    assert.match(ofUser.stdout, /message: .*topic not granted.*orders\/6.*mia/);
  });

  test('came back with an id that the log does not know', async () => {
    const event = await publish('orders/9');
    const [epoch, sequence] = event.id.split('-').map(Number);
    const unknown = stack.engine.knowsLater ? `${epoch + 1}-${sequence}` : `${epoch}-${sequence + 1000}`;
    const { value: stranger, ...came } = await timed(() => open(['orders/9'], { clid: 'gap', last_id: unknown }));
    assert.equal(stranger.connected.recovered, false);
    await causeOf(event, ['--clid', 'gap'], 'gap', came);
    const { connid, secret } = stranger.connected;
    const ended = await timed(async () => {
      await stranger.close();
      await stack.untilTotal(0);
    });
    const missed = await publish('orders/9');
    const { value: back, ...cameBack } = await timed(() => open(['orders/9'], { clid: 'gap', connid, secret, last_id: unknown }));
    const stream = await causeOf(missed, ['--clid', 'gap'], 'ended', ended);
    assert.equal(stream.recovered, false);
    isWithin(stream.came_back, cameBack);
    await back.close();
  });

  /** Large events on a topic until one of them waits for the client of this name, which does not read; gives that event. */
  function fillUp(topic, words) {
    const detail = 'x'.repeat(30_000);
    return until('something waits', async () => {
      const event = await publish(topic, { detail });
      const [stream] = (await explain(event.id, ...words)).streams;
      return stream.cause === 'waiting' && event;
    });
  }

  test('its connection was cut while the event waited for it', async () => {
    const client = await open(['cut'], { clid: 'cut' });
    client.pause();
    const event = await fillUp('cut', ['--clid', 'cut']);
    const ended = await timed(async () => {
      await client.close();
      await stack.untilTotal(0);
    });
    const stream = await causeOf(event, ['--clid', 'cut'], 'cut-off', ended);
    isWithin(stream.queued, event);
    assert.ok(stream.bytes > 0);
    assert.notEqual(stream.reason, 'slow');
  });

  test('catches up with what it missed, and does not read', async () => {
    const first = await publish('past');
    const detail = 'x'.repeat(100_000);
    const events = Array.from({ length: 100 }, () => ({ ep: ['past'], e: { type: 'x', detail } }));
    const { value: posted, ...at } = await timed(() => stack.post({ events }, { url: `${bound.url}event` }));
    assert.equal(posted.status, 200, posted.text.slice(0, 500));
    const last = { id: posted.json.events.at(-1).id, ...at };
    const { value: client, ...came } = await timed(async () => {
      const stream = await open(['past'], { clid: 'behind', last_id: first.id });
      stream.pause();
      return stream;
    });
    await causeOf(last, ['--clid', 'behind'], 'catching-up', came);
    await client.close();
  });

  test('polls, and is given it with its next poll', async () => {
    const body = JSON.stringify({ ep: ['orders/10'], clid: 'polls', wait: 0 });
    const polled = await request(`${stack.url}/poll`, { method: 'POST', agent: false, body });
    assert.equal(polled.status, 200, polled.text);
    const event = await publish('orders/10');
    await causeOf(event, ['--clid', 'polls'], 'polls', event);
    const { connid, secret } = polled.json.events[0].e.detail;
    const again = JSON.stringify({ ep: ['orders/10'], clid: 'polls', wait: 0, connid, secret, last_id: polled.json.id });
    const { json } = await request(`${stack.url}/poll`, { method: 'POST', agent: false, body: again });
    assert.equal(json.events.at(-1).id, event.id);
    const dropped = await run([programs.esnctl, 'drop', 'connid', String(connid)], { env: { ESN_CONF: stack.file } });
    assert.equal(dropped.code, 0, dropped.stderr); // it would be present for a while
  });

  test('the proof ended before the event, and the stream just after it', async () => {
    // The stream ends with the next tick of the loop: an event that comes between is withheld. Until one has come then.
    let round = 0;
    const [found, words] = await until('an event comes between the end of a proof and that of its stream', async () => {
      const clid = `late-${++round}`;
      const end = Date.now() / 1000 + 1.5 + 0.3 * round;
      const stream = await Subscriber.open(`${stack.url}/?ticket=${proof({ ep: ['orders/11'], clid, until: end })}`);
      const events = [];
      const over = { expired: false };
      const expired = stream.takeUntil('expired').then(() => (over.expired = true));
      while (!over.expired) {
        events.push(...(await Promise.all([1, 2, 3].map(() => publish('orders/11')))));
      }
      await expired;
      await stream.over;
      for (const event of events.slice(-9).reverse()) {
        const [one] = (await explain(event.id, '--clid', clid)).streams;
        if (one.cause === 'expired') {
          return [event, ['--clid', clid]];
        }
      }
      return false;
    });
    await causeOf(found, words, 'expired', { from: found.from, to: Date.now() });
  });

  test('its topics are not all known any more', async () => {
    const ep = Array.from({ length: 60 }, (_, i) => `a/topic/whose/name/is/so/long/that/sixty/of/them/are/not/kept/by/what/explain/remembers/${i}`);
    const client = await open(ep, { clid: 'many' });
    const event = await publish('elsewhere');
    await client.close();
    await stack.untilTotal(0);
    await causeOf(event, ['--clid', 'many'], 'topics-not-known');
    await causeOf(await publish(ep[0]), ['--clid', 'many'], 'ended');
  });

  test('said to have been had, and not', async () => {
    const client = await open(['orders/7'], { clid: 'says', report: true });
    const event = await publish('orders/7', { report: true });
    const written = await causeOf(event, ['--clid', 'says'], 'written', event);
    assert.equal(written.said, false);
    const { connid, secret } = client.connected;
    const had = await timed(() =>
      request(`${stack.url}/alive`, { method: 'POST', agent: false, body: JSON.stringify({ connid, secret, had: event.id }) }),
    );
    const stream = await causeOf(event, ['--clid', 'says'], 'had', had);
    isWithin(stream.written, event);
    await client.close();
  });

  test('never published: forbidden, unregistered, not yours, double, limited, wrong key', async () => {
    const unpublished = async (topic) => (await explain(topic)).unpublished;
    const isNoted = (topic, reason, time, more = {}) =>
      until(`${reason} is known`, async () => {
        const found = (await unpublished(topic)).find((one) => one.reason === reason);
        if (found) {
          isWithin(found.at, time);
          const { at: _at, ...rest } = found;
          assert.deepEqual(rest, { reason, topic, ...more });
        }
        return found;
      });
    await bound.add('rights/1', { owner: 'cleo', pub: ['cleo'] });
    const forbidden = await timed(() => bound.post({ topic: 'rights/1', binded: true }, { as: 'ben' }));
    assert.equal(forbidden.value.status, 403);
    await isNoted('rights/1', 'forbidden', forbidden, { user: 'ben' });
    const unknown = await timed(() => bound.post({ topic: 'rights/none', binded: true }, { as: 'ben' }));
    assert.equal(unknown.value.status, 403);
    await isNoted('rights/none', 'unregistered', unknown, { user: 'ben' });
    const key = await timed(() => bound.post({ topic: 'rights/key', binded: true }, { key: 'no key at all' }));
    assert.equal(key.value.status, 400);
    await isNoted('rights/key', 'Invalid Bind Key', key);
    const post = (token, topic, more = {}) =>
      stack.post({ ep: [topic], e: { type: 'x' }, ...more }, { url: `${bound.url}event`, token });
    const foreign = await timed(() => post(SHOP, 'rights/2'));
    assert.equal(foreign.value.status, 403);
    await isNoted('rights/2', 'not yours', foreign, { by: 'shop' });
    // A process that lives for one request tells it too.
    const body = JSON.stringify({ ep: ['rights/cgi'], e: { type: 'x' } });
    const alone = await timed(() => runCgi(stack.file, { query: `token=${encodeURIComponent(SHOP)}`, body }));
    assert.equal(alone.value.status, 403);
    await isNoted('rights/cgi', 'not yours', alone, { by: 'shop' });
    const first = await publish('rights/3', { id: 'same' });
    const double = await timed(() => bound.post('rights/3', { type: 'x', id: 'same' }));
    assert.equal(double.value.json.ep[0].duplicate, true);
    await isNoted('rights/3', 'double', double, { id: first.id });
    assert.equal((await explain(first.id)).unpublished[0].reason, 'double');
    const limited = await timed(async () => {
      let answer;
      do {
        answer = await post(`${SHOP} 2`, 'rights/4');
      } while (answer.status === 200 || answer.status === 503); // 503: brought twice, and limited the second time
      return answer;
    });
    assert.equal(limited.value.status, 429);
    await isNoted('rights/4', 'too many events', limited, { by: 'fast' });
  });

  test('would it: what a user hears of a topic', async () => {
    const client = await bound.subscribe('ana', ['rooms/1'], { clid: 'would' });
    const answer = await explain('--as', 'ana', 'rooms/1');
    assert.deepEqual(answer.streams.map(({ connid, hears }) => [connid, hears]), [[client.connid, ['bound']]]);
    const near = await explain('--as', 'ana', 'room/1');
    assert.deepEqual([near.streams[0].hears, near.streams[0].topic], [[], 'rooms/1']);
    assert.match(near.text, /hears nothing of it: it is subscribed to rooms\/1, a letter or two apart/);
    const { id } = await publish('rooms/1');
    assert.equal((await explain('rooms/#')).published[0].id, id);
    await client.close();
    assert.match((await explain('--as', 'nobody at all', 'rooms/1')).text, /\[nobody\]/);
  });

  test('ids of which nothing is known, and who may ask', async () => {
    const { id } = await publish('orders/8');
    const [epoch, sequence] = id.split('-').map(Number);
    for (const [word, cause] of [
      [`${epoch}-${sequence + 1000}`, 'never'],
      [`${epoch - 1}-1`, 'another-log'],
    ]) {
      const ended = await esnctl([word]);
      assert.equal(ended.code, 1);
      assert.ok(ended.stderr.includes(`[${cause}]`), ended.stderr);
    }
    const bare = await stack.get(`/explain?id=${id}`);
    assert.equal(bare.status, 401);
    const headers = { Authorization: `Bearer ${stack.adminToken}` };
    for (const query of ['', '?id=x', `?id=${id}&topic=a`, `?id=${id}&connid=x`]) {
      assert.equal((await stack.get(`/explain${query}`, { headers })).status, 400, query);
    }
    assert.ok(!(await stack.get(`/explain?id=${id}`, { headers })).text.includes('secret'));
  });
});

describe('what explain remembers', () => {
  test('says of an event that is older than the log that it is forgotten', async () => {
    const stack = await Stack.start('forgotten', { handlers: 1, config: { log: { max_bytes: '64k' } } });
    try {
      const { id } = await stack.publish('a', 'old');
      let newest;
      const ended = await until('the log has let go of it', async () => {
        newest = (await stack.publish('a', 'new', 'x'.repeat(10_000))).id;
        const one = await run([programs.esnctl, 'explain', id], { env: { ESN_CONF: stack.file } });
        return one.code === 1 && one;
      });
      assert.match(ended.stderr, /older than the log.*\[forgotten\]/);
      const [, oldest, last] = /The log has (\S+) to (\S+)\./.exec(ended.stderr);
      assert.equal(last, newest);
      assert.notEqual(oldest, id);
    } finally {
      await stack.stop();
    }
  });

  test('is bounded, and nothing is kept when it is to be nothing', async () => {
    const stack = await Stack.start('decisions', { config: { log: { max_decisions_bytes: '128k' } } });
    try {
      const ep = Array.from({ length: 50 }, (_, i) => `a/rather/long/topic/${i}`);
      for (let i = 0; i < 100; i++) {
        await (await stack.subscribe({ ep, clid: `client-${i}` })).close();
      }
      await stack.untilTotal(0);
      const { decisions } = await stack.look('/memory');
      assert.ok(decisions > 0 && decisions <= 128 * 1024, `${decisions}`);
      assert.deepEqual((await stack.look('/explain?topic=a&clid=client-0')).streams, []);
      assert.equal((await stack.look('/explain?topic=a&clid=client-99')).streams.length, 1);
    } finally {
      await stack.stop();
    }
    const bare = await Stack.start('no-decisions', { config: { log: { max_decisions_bytes: '0' } } });
    try {
      await (await bare.subscribe(['a'])).close();
      await bare.untilTotal(0);
      assert.equal((await bare.look('/memory')).decisions, 0);
      assert.deepEqual((await bare.look('/explain?topic=a&clid=x')).streams, []);
    } finally {
      await bare.stop();
    }
  });
});
