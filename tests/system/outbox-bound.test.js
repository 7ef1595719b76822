'use strict';

// Bound events in the outbox: a bind key in a row may wait as long as the row does.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { bindKey, keyPair } = require('./lib/bind-keys');
const { Outbox } = require('./lib/outbox');
const { until } = require('./lib/wait');

const HOUR_S = 3600;

describe('a bound event in the outbox', () => {
  let outbox;
  before(async () => {
    outbox = await Outbox.start('bound', {
      config: { acl: { kind: 'sqlite', file: '$/topics.db' }, bind_key: { private_key_file: '$/bind.key', tolerance: '10m', skew: '0s' } },
    });
    fs.writeFileSync(path.join(outbox.stack.folder, 'bind.key'), keyPair().privateKey, { mode: 0o600 });
    await outbox.esnctl('topic', 'create-tables');
    await outbox.esnctl('topic', '--owner', 'ana', '--sub', '*', 'add', 'house');
    await outbox.startWorker();
  });
  after(() => outbox?.stop());

  const row = (user, { keyAge = 0, rowAge = 0 } = {}) => {
    const body = { bind_key: bindKey(user, { age: keyAge }), ep: [{ topic: 'house', binded: true }], e: { type: user } };
    return `INSERT INTO outgoing_events (body, created_at) VALUES ('${JSON.stringify(body)}', (unixepoch() - ${rowAge}) * 1000);`;
  };

  it('is heard when its user may, and its bind key was valid as the row was made', async () => {
    const subscriber = await outbox.stack.subscribe(['house']);
    await outbox.sql(row('luis') + row('ana', { keyAge: HOUR_S }) + row('ana', { keyAge: HOUR_S, rowAge: HOUR_S }));
    const frames = await subscriber.takeUntil('ana');
    assert.equal(frames.filter(({ json }) => json.ep.emitted === 'house').length, 1);
    const failures = await until('two are refused', async () => {
      const rows = await outbox.rows('failure');
      return rows.length === 2 && rows.every(([failure]) => failure !== '') && rows.flat();
    });
    assert.equal(failures[0], '403 forbidden: house');
    assert.match(failures[1], /^400 Invalid Bind Key \(/);
    await subscriber.close();
  });
});
