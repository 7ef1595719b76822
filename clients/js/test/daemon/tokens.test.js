// Access tokens that end while the page hears: it hears on, each event once, with a fresh one. With the real daemon.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Bound } = require('../../../../tests/system/lib/bound.js');
const { SECRET, accessToken } = require('../../../../tests/system/lib/tokens.js');

const MINE = { topic: 'mine', bound: true };

describe('access tokens', () => {
  let bound;
  before(async () => {
    bound = await Bound.start({
      config: { token: { keys_file: 'token.keys' }, log: { path: 'recent.log' }, fanout: { poll_time: '500ms', poll_gap: '2s' } },
      prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
    });
    await bound.add('mine', { sub: ['luis'] });
  });
  after(() => bound?.stop());

  const listeners = [];
  const listening = (options) => {
    const listener = listen({ url: bound.url, topics: [MINE], ...options });
    listeners.push(listener);
    return listener;
  };
  const begin = async (transport, token, more) => {
    const listener = listening({ transports: [transport], token, ...more });
    await until('it is connected', () => listener.client.state === 'connected');
    return listener;
  };
  const say = (type) => bound.publish('mine', { as: 'ana', type });
  afterEach(async () => {
    await Promise.all(listeners.splice(0).map(({ client }) => client.close()));
    await bound.stack.untilTotal(0);
  });

  for (const transport of ALL) {
    test(`are exchanged before they end, by ${transport}: each event once, in order`, async () => {
      let asked = 0;
      const listener = await begin(transport, async () => accessToken('luis', { seconds: ++asked < 3 ? 8 : 600 }));
      const said = [];
      for (let i = 0; asked < 3; i++) {
        await say(`n${i}`);
        said.push(`n${i}`);
        await listener.heard(`n${i}`);
      }
      await say('last');
      await listener.heard('last');
      assert.deepEqual(listener.types(), [...said, 'last']);
      assert.deepEqual([listener.client.user, listener.errors], ['luis', []]);
      assert.equal(listener.states.filter((state) => state === 'closed').length, 0);
      if (transport !== 'poll') assert.equal(listener.meter.total, 1, 'it was the same connection all along');
    });
  }

  test('that cannot be exchanged on the connection are brought by the next one', async () => {
    let asked = 0;
    const listener = listening({
      transports: ['frames'],
      token: async () => accessToken('luis', { seconds: ++asked > 2 ? 600 : 2 }),
      fetch: (url, init) => (/alive/.test(url) ? Promise.resolve(Response.json({ error: 'Ticket of another user' }, { status: 400 })) : fetch(url, init)),
    });
    await until('it is connected', () => listener.client.state === 'connected');
    await say('one');
    await listener.heard('one');
    await until('it has another connection', () => asked > 2 && listener.client.state === 'connected');
    await say('two');
    await listener.heard('two');
    assert.deepEqual(listener.types(), ['one', 'two']);
  });

  test('that end at once are not asked for in a loop', async () => {
    let asked = 0;
    const listener = await begin('frames', async () => accessToken('luis', { seconds: ++asked === 2 ? 0.2 : 0.5 }), { backoff: 3000, maxBackoff: 3000 });
    await until('it waits', () => listener.states.includes('waiting'));
    assert.ok(asked <= 2, `${asked}`);
  });

  test('of nobody who is logged in end the client, also when they are exchanged', async () => {
    let wasThere = false;
    const gone = Object.assign(Error('log in again'), { final: true });
    const listener = await begin('ws', async () => {
      if (wasThere) throw gone;
      return accessToken('luis', { seconds: 2 });
    });
    wasThere = true;
    await until('it has ended', () => listener.client.state === 'closed');
    assert.deepEqual(listener.errors.map(({ kind, final }) => [kind, final]), [['login', true]]);
  });

  test('of somebody else end the client, and nothing of his is heard', async () => {
    let wasThere = false;
    const listener = await begin('sse', async () => accessToken(wasThere ? 'eva' : 'luis', { seconds: 2 }));
    wasThere = true;
    await until('it has ended', () => listener.client.state === 'closed');
    assert.deepEqual(listener.errors.map(({ kind }) => kind), ['identity']);
  });

  for (const transport of ALL) {
    test(`grant private topics, by ${transport}, also later ones; what is not granted ends its own subscription`, async () => {
      const token = async () => accessToken('luis', { claims: { esn: { sub: ['orders/#'] } } });
      const listener = await begin(transport, token, { topics: [{ topic: 'orders/1', private: true }, 'open'] });
      const { client } = listener;
      const tell = (topic, type) => bound.post({ topic, private: true }, { type });
      await tell('orders/1', 'one');
      await listener.heard('one');
      await client.subscribe({ topic: 'orders/2', private: true }).ready;
      await assert.rejects(client.subscribe({ topic: 'bills/1', private: true }).ready, { kind: 'refused', message: 'Not granted: bills/1' });
      await tell('bills/1', 'not for luis');
      await tell('orders/2', 'two');
      await listener.heard('two');
      await bound.stack.publish('orders/1', 'an open one of the same name');
      await bound.stack.publish('open', 'three');
      await listener.heard('three');
      assert.deepEqual(listener.types(), ['one', 'two', 'three']);
    });
  }

  test('of whom hears nothing of a bound topic: the console says so', async () => {
    const { debug } = console;
    const said = [];
    console.debug = (...words) => said.push(words.slice(1));
    try {
      const topics = [MINE, { topic: 'nobody’s', bound: true }];
      const listener = await begin('ws', async () => accessToken('eva'), { topics, debug: true });
      const [, deaf] = said.find(([what]) => what.startsWith('deaf'));
      assert.deepEqual(deaf, [{ topic: 'mine', reason: 'forbidden' }, { topic: 'nobody’s', reason: 'unregistered' }]);
    } finally {
      console.debug = debug;
    }
  });

  for (const transport of ALL) {
    test(`of a user whose streams the application ends, by ${transport}: the client has ended, and does not come back`, async () => {
      let asked = 0;
      const listener = await begin(transport, async () => accessToken('luis', { seconds: 600 + asked++ }));
      await say('one');
      await listener.heard('one');
      const before = asked;
      await bound.esnctl('drop', '--for', '0', 'uid', 'luis');
      await until('it has ended', () => listener.client.state === 'closed');
      assert.deepEqual(listener.errors.map(({ kind, final }) => [kind, final]), [['dropped', true]]);
      await bound.stack.untilTotal(0);
      assert.ok(transport === 'poll' || asked === before, 'it has asked for no token since');
    });
  }
});
