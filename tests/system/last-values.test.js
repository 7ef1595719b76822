'use strict';

// The last value of a topic: whoever subscribes later gets it, on every transport, under the rights of that moment.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { EventStream } = require('./lib/event-stream');
const { TRANSPORTS, queryOf } = require('./lib/every-transport');
const { END, granted, placeOf, startBound, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { LinePeer, takeUntil } = require('./lib/two-way');
const { WebSocketPeer } = require('./lib/websocket');

const MANY = 1500;
const BOUND = 'CASA/lamp';
const bound = (topic) => ({ topic, binded: true });

for (const log of ['memory', 'disk']) {
  describe(`last values (log in ${log})`, () => {
    let bed;
    before(async () => {
      bed = await startBound({ log: log === 'disk' ? { path: 'log.db' } : {}, fanout: { poll_gap: '0ms' } });
      await bed.add(BOUND, { owner: 'boss', pub: ['boss'], sub: ['ana'] });
      await bed.add('CASA/all', { owner: 'ana', sub: ['*'] });
    });
    after(() => bed?.stop());
    afterEach(async () => {
      RawConnection.destroyAll();
      await bed.stack.untilTotal(0);
    });

    const isOnDisk = log === 'disk';
    let ends = 0;

    async function keep(point, detail, more = {}) {
      const whole = { ...(typeof point === 'string' ? { topic: point } : point), keep: true };
      const answer = await bed.post(whole, { type: 'value', detail, ...more });
      assert.equal(answer.status, 200, answer.text);
      return answer.json.id;
    }

    /** What these clients, which have END, have heard by now: `value` or `=value` when it was kept, or the type. */
    async function heard(...clients) {
      const type = `end-${++ends}`;
      const answer = await bed.post(END, { type });
      assert.equal(answer.status, 200, answer.text);
      const taken = await Promise.all(clients.map((client) => client.takeUntil(type)));
      return taken.map((frames) =>
        frames
          .filter(({ ep, e }) => ep.requested !== '@SERVER@' && !e.type.startsWith('end-'))
          .map(({ kept, e }) => `${kept ? '=' : ''}${e.detail ?? e.type}`),
      );
    }

    const open = (ep, more = {}, way = TRANSPORTS.frames) => way(placeOf(bed), { ep: [...ep, END], token: token('ana', ['#']), ...more });
    const close = (...clients) => Promise.all(clients.map((client) => client.close()));

    async function hears(ep, more, way) {
      const client = await open(ep, more, way);
      const [values] = await heard(client);
      await client.close();
      return values;
    }

    const restart = async () => {
      if (isOnDisk) {
        await bed.stack.restartDaemon();
      }
    };

    for (const [name, way] of Object.entries(TRANSPORTS)) {
      test(`${name}: who comes later gets the newest value of each topic, in order, marked, with its own id`, async () => {
        const at = `casa/${name}`;
        await keep(`${at}/a`, 'old');
        const b = await keep(`${at}/b`, 'b');
        await keep(`${at}/c/d`, 'd');
        const a = await keep(`${at}/a`, 'a');
        await bed.post(`${at}/a`, { type: 'value', detail: 'passing' });
        await restart();
        const client = await open([`${at}/#`], {}, way);
        const type = `end-${++ends}`;
        await bed.post(END, { type });
        const frames = (await client.takeUntil(type)).filter(({ kept }) => kept !== undefined);
        assert.deepEqual(frames.map(({ kept, id, ep, e }) => [kept, id, ep, e]).filter(([, , ep]) => !ep.emitted.endsWith('d')), [
          [true, b, { requested: `${at}/#`, emitted: `${at}/b` }, { type: 'value', detail: 'b' }],
          [true, a, { requested: `${at}/#`, emitted: `${at}/a` }, { type: 'value', detail: 'a' }],
        ]);
        assert.deepEqual(frames.map(({ e }) => e.detail), ['b', 'd', 'a']);
        await keep(`${at}/b`, 'live');
        assert.deepEqual(await heard(client), [['live']], 'what comes later is an event like all others');
        await client.close();
        assert.deepEqual(await hears([`${at}/a`, `${at}/+`], {}, way), ['=a', '=a', '=live']);
        // The value of nothing is none.
        await keep(`${at}/a`, null);
        await keep(`${at}/c/d`, null);
        await restart();
        assert.deepEqual(await hears([`${at}/#`], {}, way), ['=live']);
      });

      test(`${name}: who comes back gets what it missed, and no values again`, async () => {
        const at = `back/${name}`;
        await keep(`${at}/a`, 1);
        await keep(`${at}/b`, 2);
        const client = await open([`${at}/#`], {}, way);
        assert.deepEqual(await heard(client), [['=1', '=2']]);
        const { connid, secret } = client.connected;
        const past = client.past ?? { last_id: (await bed.post('anywhere')).json.id, connid, secret };
        await client.close();
        await keep(`${at}/a`, 3);
        const again = await open([`${at}/#`], past, way);
        assert.equal(again.connected.recovered, true);
        assert.deepEqual(await heard(again), [['3']]);
        await again.close();
      });

      test(`${name}: who comes back to a log that does not reach back gets values, then what is there`, async () => {
        const at = `gap/${name}`;
        await keep(`${at}/a`, 1);
        await keep(`${at}/b`, 2);
        const client = await open([`${at}/#`], { last_id: '7-7' }, way);
        assert.equal(client.connected.recovered, false);
        const [values] = await heard(client);
        // What is still in the log comes as it was; nothing else was forgotten here.
        assert.deepEqual(values, ['1', '2']);
        await client.close();
      });

      test(`${name}: kinds have nothing to do with each other, and rights are those of the moment`, async () => {
        const at = `kinds/${name}`;
        await keep(at, 'open');
        await keep(granted(at), 'private');
        assert.deepEqual(await hears([at], {}, way), ['=open']);
        assert.deepEqual(await hears([granted(at)], {}, way), ['=private']);
        await keep(at, null);
        assert.deepEqual(await hears([granted(at)], {}, way), ['=private']);
        await keep(bound(BOUND), `bound ${name}`, { as: 'boss' });
        await keep(bound('CASA/all'), `all ${name}`, { as: 'ana' });
        assert.deepEqual(await hears([BOUND, 'CASA/all'], {}, way), [`=all ${name}`]);
        assert.deepEqual(await hears([bound(BOUND)], {}, way), [`=bound ${name}`]);
        assert.deepEqual(await hears([bound(BOUND)], { token: token('eva', []) }, way), []);
        await bed.esnctl('topic', 'grant', 'sub', BOUND, 'eva');
        await bed.esnctl('topic', 'revoke', 'sub', BOUND, 'ana');
        assert.deepEqual(await hears([bound(BOUND)], {}, way), [], 'ana may hear it no more');
        assert.deepEqual(await hears([bound(BOUND)], { token: token('eva', []) }, way), [`=bound ${name}`], 'eva may now');
        await bed.esnctl('topic', 'grant', 'sub', BOUND, 'ana');
        await bed.esnctl('topic', 'revoke', 'sub', BOUND, 'eva');
      });
    }

    test('many values come in parts, each once and in order, on every transport', async () => {
      const count = Array.from({ length: MANY }, (_, i) => `${i}`);
      const events = count.map((i) => ({ ep: [{ topic: `many/${i}`, keep: true }], e: { type: 'value', detail: { i, text: 'x'.repeat(150) } } }));
      for (let at = 0; at < MANY; at += 500) {
        const { status, json } = await bed.stack.post({ events: events.slice(at, at + 500) }, { url: `${bed.url}event` });
        assert.deepEqual([status, json.events.every((event) => event.status === 200)], [200, true]);
      }
      for (const [name, way] of Object.entries(TRANSPORTS)) {
        const client = await open(['many/#'], {}, way);
        const type = `end-${++ends}`;
        await bed.post(END, { type });
        const frames = (await client.takeUntil(type)).filter(({ ep }) => ep.requested === 'many/#');
        assert.ok(frames.every(({ kept }) => kept === true), name);
        assert.deepEqual(frames.map(({ e }) => e.detail.i), count, name);
        await client.close();
      }
    });

    for (const name of ['websocket', 'lines']) {
      test(`${name}: topics that come later bring their values, and nothing that comes meanwhile is lost`, async () => {
        const at = `later/${name}`;
        await keep(`${at}/a`, 'a');
        await keep(`${at}/b`, 'b');
        const peer = await (name === 'lines'
          ? LinePeer.open(bed.linesPort, { ep: [`${at}/a`, END] })
          : WebSocketPeer.open(bed.web.port, `/notify/ws?${queryOf({ ep: [`${at}/a`, END] })}`));
        const client = { takeUntil: (type) => takeUntil(peer, type) };
        assert.deepEqual(await heard(client), [['=a']]);
        peer.say({ subscribe: [`${at}/b`, `${at}/a`] });
        await client.takeUntil('subscribed');
        await keep(`${at}/a`, 'a2');
        await keep(`${at}/b`, 'b2');
        const [values] = await heard(client);
        assert.deepEqual(values.filter((value) => value.startsWith('=')), ['=b']);
        assert.deepEqual(values.filter((value) => !value.startsWith('=')), ['a2', 'b2']);
        peer.destroy();
      });
    }

    test('an EventSource that is cut off in between goes on where it was', async () => {
      await keep('cut/a', 'a');
      await keep('cut/b', 'b');
      const stream = await EventStream.open(`${bed.url}sse?ep=cut/%23`);
      const values = [(await stream.takeUntil('value')).at(-1), (await stream.takeUntil('value')).at(-1)];
      stream.close();
      assert.deepEqual(values.map(({ json }) => json.e.detail), ['a', 'b']);
      assert.match(values[0].id, /^\d+-\d+-\d+$/);
      assert.deepEqual(await hears(['cut/#'], { last_id: values[0].id }), ['=b']);
      assert.deepEqual(await hears(['cut/#'], { last_id: values[1].id }), []);
      assert.deepEqual(await hears(['cut/#'], { last_id: `${values[1].json.id}-0` }), ['=a', '=b']);
    });

    test('except leaves out of the event, not of the value', async () => {
      const client = await open(['but/a']);
      const { connid } = client.connected;
      await keep({ topic: 'but/a', except: connid }, 'moved');
      assert.deepEqual(await heard(client), [[]]);
      await client.close();
      assert.deepEqual(await hears(['but/a']), ['=moved']);
    });

    test('what cannot be kept is refused in words', async () => {
      for (const [point, detail] of [
        [{ topic: 'a/+', keep: true }, 'keep needs a topic without wildcards'],
        [{ topic: 'a', whisper: 7, keep: true }, 'keep goes with neither whisper, targeted nor to'],
        [{ topic: 'a', to: ['ana'], keep: true }, 'keep goes with neither whisper, targeted nor to'],
        [{ topic: 'a', binded: true, targeted: true, keep: true }, 'keep goes with neither whisper, targeted nor to'],
        [{ topic: 'a', keep: 'yes' }, 'keep should be true or false'],
      ]) {
        const answer = await bed.post(point);
        assert.deepEqual([answer.status, answer.json.error, answer.json.detail], [400, 'Invalid Event Point', detail]);
      }
    });
  });
}

for (const log of ['memory', 'disk']) {
  describe(`room for last values (log in ${log})`, () => {
    let stack;
    before(async () => {
      const path = log === 'disk' ? { path: 'log.db' } : {};
      stack = await Stack.start(`values-${log}`, { handlers: 1, config: { log: { max_bytes: '64k', max_kept: '64k', ...path } } });
    });
    after(() => stack?.stop());

    const keep = async (topic, detail) => {
      const answer = await stack.post({ ep: [{ topic, keep: true }], e: { type: 'value', detail } });
      assert.equal(answer.status, 200, answer.text);
    };

    async function values(topic) {
      const client = await stack.subscribe([topic, 'end']);
      const [frames] = await stack.drain('end', client);
      await client.close();
      return frames.filter(({ json }) => json.kept).map(({ json }) => json.e.detail);
    }

    test('they outlive the log and the daemon; the oldest are let go of, which is told', async () => {
      await keep('first', 'first');
      for (let i = 0; i < 200; i++) {
        await stack.publish('other', 'x', 'y'.repeat(1000));
      }
      assert.ok((await stack.look('/state')).log_from > 1, 'the log has forgotten its event');
      assert.deepEqual(await values('first'), ['first']);
      if (log === 'disk') {
        await stack.daemon.end();
        await stack.startDaemon();
        await stack.publishInTheEnd('anywhere', 'back');
        assert.deepEqual(await values('first'), ['first']);
      }
      const large = await stack.post({ ep: [{ topic: 'large', keep: true }], e: { type: 'value', detail: 'z'.repeat(40_000) } });
      assert.deepEqual([large.status, large.json.error], [413, 'Event too large to be kept']);
      for (let i = 0; i < 100; i++) {
        await keep(`t/${i}`, 'v'.repeat(1000));
      }
      const { kept, kept_bytes: bytes, kept_let_go: gone } = await stack.look('/state');
      assert.ok(kept > 20 && kept < 100 && bytes <= 65536, `${kept} values, ${bytes} bytes`);
      assert.equal(gone, 101 - kept);
      assert.deepEqual(await values('first'), []);
      assert.equal((await values('t/#')).length, kept);
      await stack.daemon.untilLog(/last values of topics are let go of/);
      assert.ok((await stack.look('/memory')).kept > 0);
      if (log === 'disk') {
        await stack.daemon.end('SIGKILL');
        await stack.startDaemon();
        await stack.publishInTheEnd('anywhere', 'back again');
        assert.equal((await values('t/#')).length, kept);
      }
    });
  });
}
