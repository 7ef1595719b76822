'use strict';

// The last value of a topic: whoever subscribes later gets it, on every transport, under the rights of that moment.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS } = require('./lib/every-transport');
const { END, granted, placeOf, startBound, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');

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
        await bed.stack.daemon.end();
        await bed.stack.startDaemon();
        await bed.stack.publishInTheEnd('anywhere', 'back');
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
  });
}
