'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { keyPair } = require('./lib/bind-keys');
const { Bound } = require('./lib/bound');
const { request } = require('./lib/http');
const { until } = require('./lib/wait');

const STREAMS = 3000;

/** Open sockets of a process: a handler that holds a stream has one more. */
function sockets(pid) {
  const folder = `/proc/${pid}/fd`;
  return fs.readdirSync(folder).filter((fd) => {
    try {
      return fs.readlinkSync(`${folder}/${fd}`).startsWith('socket:');
    } catch {
      return false; // it has just been closed
    }
  }).length;
}

for (const [web, mode] of Object.entries({ 'nginx': 'accel', 'Apache with mod_proxy_fcgi': 'redirect' })) {
  describe(`${STREAMS} bound streams, handed over by ${mode}`, () => {
    let bound;
    before(async () => {
      const config = { subscribe: { threads: '1' }, publish: { time_limit: '60s' }, messages: { level: 'info' }, ticket: { life: '60s' } };
      bound = await Bound.start({ web, config });
      await bound.add('crowd', { sub: ['luis'] });
    });
    after(() => bound?.stop());

    test('two processes of one thread hand all of them over, and are free again', async (t) => {
      const workers = bound.web.handler.children();
      assert.equal(workers.length, 2);
      const idle = workers.map(sockets);
      const file = path.join(bound.stack.folder, 'bind.pub');
      fs.writeFileSync(file, keyPair().publicKey);
      const { port } = bound.web;
      const began = performance.now();
      const holder = await bound.stack.hold(STREAMS, {
        words: ['--port', String(port), '--path', '/notify/', '--ep', 'crowd', '--public-key', file, '--user', 'luis'],
      });
      t.diagnostic(`${STREAMS} streams through 2 processes in ${((performance.now() - began) / 1000).toFixed(1)} s`);
      assert.deepEqual(bound.web.handler.children(), workers, 'the same two processes');
      await until('they hold no more sockets than before', () => workers.every((pid, i) => sockets(pid) <= idle[i] + 1));
      for (let round = 1; round <= 2; round++) {
        assert.equal((await bound.publish('crowd', { as: 'ana' })).receivers, STREAMS);
        await holder.until('all have heard it', () => holder.output().includes(`events ${round * STREAMS}\n`));
      }
      assert.equal(holder.output().includes('lost'), false);
      // Each thread that a stream held would be one that never answers again.
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => request(bound.url, { method: 'OPTIONS', agent: false })),
      );
      assert.ok(answers.every(({ status }) => status === 204 || status === 200));
      await bound.esnctl('topic', 'revoke', 'sub', 'crowd', 'luis');
      assert.equal((await bound.publish('crowd', { as: 'ana' })).receivers, 0);
      const another = await bound.subscribe('luis', ['crowd']);
      await another.close();
      await holder.end('SIGKILL');
      await bound.stack.untilTotal(0);
    });
  });
}
