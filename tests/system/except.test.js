'use strict';

// An event to all but one stream: not to the page that has caused it.

const assert = require('node:assert/strict');
const { after, afterEach, before, describe, test } = require('node:test');
const { TRANSPORTS } = require('./lib/every-transport');
const { END, granted, heard, placeOf, publish, startBound, token } = require('./lib/granted');
const { RawConnection } = require('./lib/raw');

const TOPIC = 'board/7';

/** Kinds of event, and what a stream asks for to hear them. */
const KINDS = {
  open: { asks: ['board/#', TOPIC], point: TOPIC, copies: 2 },
  private: { asks: [granted(TOPIC)], point: granted(TOPIC), copies: 1 },
  'to users': { asks: [granted('@USER@')], point: { topic: TOPIC, to: ['ana'] }, copies: 1 },
};

for (const log of ['memory', 'disk']) {
  describe(`all but one stream (log in ${log})`, () => {
    let bed;
    before(async () => {
      bed = await startBound({ log: log === 'disk' ? { path: 'log.db' } : {}, fanout: { poll_gap: '0ms' } });
    });
    after(() => bed?.stop());
    afterEach(async () => {
      RawConnection.destroyAll();
      await bed.stack.untilTotal(0);
    });

    const close = (...clients) => Promise.all(clients.map((client) => client.close()));
    const types = async (...clients) => (await heard(bed, ...clients)).map((events) => events.map(([type]) => type));
    const all = (point) => (typeof point === 'string' ? { topic: point } : point);
    const restart = async () => {
      if (log === 'disk') {
        await bed.stack.restartDaemon();
      }
    };

    for (const [name, open] of Object.entries(TRANSPORTS)) {
      for (const [kind, { asks, point, copies }] of Object.entries(KINDS)) {
        test(`${name}, ${kind}: the others hear it, live and when they come back, the one does not`, async () => {
          const ask = (more) => open(placeOf(bed), { ep: [...asks, END], token: token('ana', ['#']), ...more });
          const times = (...list) => list.flatMap((type) => Array(copies).fill(type));
          const clients = [await ask(), await ask(), await ask()];
          const { connid, secret } = clients[0].connected;
          const but = { ...all(point), except: connid };
          const { receivers } = await publish(bed, but, 'moved');
          if (name !== 'poll') {
            assert.equal(receivers, 2);
          }
          await publish(bed, point, 'for all');
          assert.deepEqual(await types(...clients), [times('for all'), times('moved', 'for all'), times('moved', 'for all')]);
          await close(...clients);

          const { id } = await publish(bed, 'anywhere', 'now');
          await publish(bed, but, 'moved');
          await publish(bed, [point, but], 'both');
          await publish(bed, but, 'moved again');
          await restart();
          // Those who want the same share what is found for one of them, whoever comes first.
          const past = { last_id: id, ...clients[0].past };
          const back = [await ask({ last_id: id }), await ask({ ...past, connid, secret }), await ask({ last_id: id })];
          assert.deepEqual(back.map((client) => client.connected.recovered), [true, true, true]);
          assert.equal(back[1].connected.connid, connid);
          const others = times('moved', 'both', 'both', 'moved again');
          assert.deepEqual(await types(...back), [others, times('both'), others]);
          await close(...back);
        });
      }
    }

    test('a bound event likewise', async () => {
      await bed.add('CASA/7', { owner: 'ana', sub: ['ana', 'eva'] });
      const ask = (user) => TRANSPORTS.websocket(placeOf(bed), { ep: [{ topic: 'CASA/7', binded: true }, END], token: token(user, []) });
      const clients = [await ask('ana'), await ask('ana'), await ask('eva')];
      const { connid } = clients[0].connected;
      const answer = await bed.post({ topic: 'CASA/7', binded: true, except: connid }, { as: 'ana', type: 'bound' });
      assert.deepEqual([answer.status, answer.json.receivers], [200, 2], answer.text);
      await close(...clients);
    });

    test('events of a batch likewise', async () => {
      const ask = () => TRANSPORTS.frames(placeOf(bed), { ep: [TOPIC, END] });
      const clients = [await ask(), await ask()];
      const { connid } = clients[0].connected;
      const batch = [{ topic: TOPIC, except: connid }, TOPIC].map((point, i) => ({ ep: [point], e: { type: `n${i}` } }));
      const answer = await bed.stack.post({ events: batch }, { url: `${bed.url}event` });
      assert.deepEqual(answer.json.events.map((event) => event.receivers), [1, 2]);
      assert.deepEqual(await types(...clients), [['n1'], ['n0', 'n1']]);
      await close(...clients);
    });

    test('a post that is sent again is a double; one but for another stream under its id is another event', async () => {
      const post = (except) => bed.post({ topic: TOPIC, except }, { type: 'x', id: `moved ${log}` });
      assert.equal((await post(17)).status, 200);
      assert.equal((await post(17)).json.ep[0].duplicate, true);
      await restart();
      assert.equal((await post(17)).json.ep[0].duplicate, true);
      const other = await post(18);
      assert.deepEqual([other.status, other.json.ep[0].result], [409, 'id of another event']);
    });

    test('what is no connection id is refused in words', async () => {
      for (const except of ['17', null, 1.5, -1, 2 ** 53, true]) {
        const answer = await bed.post([TOPIC, { topic: TOPIC, except }]);
        assert.deepEqual([answer.status, answer.json.error], [400, 'Invalid connection id in except']);
      }
      const both = await bed.post({ topic: TOPIC, whisper: 1, except: 1 });
      assert.deepEqual([both.status, both.json.error, both.json.detail], [400, 'Invalid Event Point', 'whisper and except exclude each other']);
    });
  });
}
