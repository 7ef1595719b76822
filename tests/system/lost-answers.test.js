'use strict';

// A client that comes back is told a new secret. When that answer is lost on the way, it can say the old one again, and is the
// same client still; once it has shown the new one, the old one is worth nothing.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Stack } = require('./lib/stack');

const LOST = 4; // answers in a row

let stack;
before(async () => (stack = await Stack.start('lost', { handlers: 1 })));
after(() => stack?.stop());

const types = (frames) => frames.map(({ json }) => json.e.type);
const whisper = (to, type) => stack.post({ ep: [{ topic: 'w', whisper: to }], e: { type } });

test(`${LOST} answers in a row are lost: it keeps its connection id and gets its whispers`, async () => {
  const first = await stack.subscribe(['w']);
  const { connid, secret } = first;
  const body = { ep: ['w'], last_id: first.connected.id, connid, secret };
  await first.close();
  const missed = [];
  for (let i = 0; i < LOST; i++) {
    const lost = await stack.subscribe(body); // nobody reads its secret
    assert.equal(lost.connid, connid);
    if (i % 2) await lost.close();
    await whisper(connid, `missed-${i}`);
    missed.push(`missed-${i}`);
  }
  const back = await stack.subscribe(body);
  assert.equal(back.connid, connid);
  assert.equal(back.connected.recovered, true);
  await stack.publish('w', 'last');
  assert.deepEqual(types(await back.takeUntil('last')), ['connected', ...missed, 'last']);

  // It comes back with the new secret: now the old one is used up.
  const { secret: second } = back;
  const again = await stack.subscribe({ ...body, secret: second });
  assert.equal(again.connid, connid);
  const thief = await stack.subscribe(body);
  assert.notEqual(thief.connid, connid);
  assert.equal(again.isOver, false);
  await Promise.all([again.close(), thief.close()]);
});

test('a renewal whose answer is lost can be said again, as often as any', async () => {
  const client = await stack.subscribe(['w']);
  const alive = async (secret) => {
    const { status, json } = await stack.get('/alive', { method: 'POST', body: JSON.stringify({ connid: client.connid, secret }) });
    return status === 200 ? json.secret : json.error;
  };
  const lost = await alive(client.secret);
  const second = await alive(client.secret);
  assert.match(second, /^[0-9a-f]{32}$/);
  assert.ok(second !== lost || stack.engine.sharesSecrets);
  const third = await alive(second);
  assert.match(third, /^[0-9a-f]{32}$/);
  assert.equal(await alive(client.secret), 'Invalid data');
  await client.close();
});
