'use strict';

// Whoever asks for much waits for its share, and nobody else waits for it: seen by what the daemon had done when it answered,
// not by a clock. It stands still while all of them ask, so that it finds them waiting in one queue. They are connected before:
// while it accepts a crowd, who comes last cannot be seen, and a fast machine serves many of the crowd meanwhile.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { RawConnection, requestText } = require('./lib/raw');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const CROWD = 150;
const NOT_LAST = 0.8 * CROWD; // each in its turn, all of the crowd are served before
const TOPICS = 1000;
const PROXY = '127.0.0.2';

after(() => RawConnection.destroyAll());

const heavy = (i, headers = {}) =>
  requestText('POST', '/', {
    headers,
    body: JSON.stringify({ ep: Array.from({ length: TOPICS }, (_, topic) => `crowd/${i}/${topic}`) }),
  });

describe('one address that asks for much does not make others wait', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('fairness', { handlers: 1, config: { fanout: { trusted_proxies: `${PROXY} unix` } } });
  });
  after(() => stack?.stop());

  const stateText = (headers = {}) =>
    requestText('GET', '/state', { headers: { Authorization: `Bearer ${stack.adminToken}`, ...headers } });

  /** What /state says to the last of all, and what it says when everybody was served. */
  async function askBehind(crowdFrom, crowdHeaders, lastFrom, lastHeaders) {
    const crowd = [];
    for (let i = 0; i < CROWD; i++) {
      crowd.push(await RawConnection.open(stack.port, { localAddress: crowdFrom }));
    }
    const last = await RawConnection.open(stack.port, { localAddress: lastFrom });
    const before = (await stack.look('/state')).streams_begun; // asked by one more, who was accepted behind them
    stack.daemon.signal('SIGSTOP');
    try {
      for (const [i, connection] of crowd.entries()) {
        await connection.write(heavy(i, crowdHeaders));
      }
      await last.write(stateText(lastHeaders));
    } finally {
      stack.daemon.signal('SIGCONT');
    }
    const state = JSON.parse((await last.answer()).text);
    await until('the others are served', async () => (await stack.look('/state')).streams_begun === before + CROWD);
    [...crowd, last].forEach((connection) => connection.destroy());
    await stack.untilTotal(0);
    return { servedBefore: state.streams_begun - before, putOff: (await stack.look('/state')).strangers.put_off };
  }

  test('directly', async () => {
    const { servedBefore, putOff } = await askBehind('127.0.0.66', {}, '127.0.0.67', {});
    assert.ok(servedBefore < NOT_LAST, `${servedBefore} of ${CROWD} were served before the other one`);
    assert.ok(putOff > 0);
  });

  test('behind a proxy', async () => {
    const { servedBefore } = await askBehind(
      PROXY,
      { 'X-Forwarded-For': '192.0.2.66' },
      PROXY,
      { 'X-Forwarded-For': '192.0.2.67' },
    );
    assert.ok(servedBefore < NOT_LAST, `${servedBefore} of ${CROWD} were served before the other one`);
  });
});

describe('what an address has waiting is bounded', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('waiting', {
      handlers: 1,
      config: { fanout: { trusted_proxies: `${PROXY} unix`, max_waiting_per_address: 3 } },
    });
  });
  after(() => stack?.stop());

  test('one too many is answered 429 with Retry-After, the others are served, and /state counts them', async () => {
    stack.daemon.signal('SIGSTOP');
    const held = [];
    try {
      for (let i = 0; i < CROWD; i++) {
        const connection = await RawConnection.open(stack.port, { localAddress: PROXY });
        await connection.write(heavy(i, { 'X-Forwarded-For': i % 5 === 0 ? '192.0.2.67' : '192.0.2.66' }));
        held.push(connection);
      }
    } finally {
      stack.daemon.signal('SIGCONT');
    }
    const heads = await Promise.all(held.map((connection) => connection.head()));
    const refused = heads.filter((head) => head.status === 429);
    assert.ok(refused.length > 0, 'somebody is refused');
    refused.forEach((head) => assert.equal(head.headers['retry-after'], '1'));
    assert.ok(heads.filter((head) => head.status === 200).length >= 6, 'others are served');
    const { strangers } = await stack.look('/state');
    assert.equal(strangers.requests_refused, refused.length);
    assert.equal(strangers.requests_waiting, 0);
    held.forEach((connection) => connection.destroy());
    await stack.untilTotal(0);
  });
});
