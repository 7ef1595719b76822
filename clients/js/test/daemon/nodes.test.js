// The client, as it is, with several daemons on one Redis behind nginx: by every way in, whichever daemon it comes to.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Nodes } = require('../../../../tests/system/lib/nodes.js');

const EACH = 10; // events between two daemons that die

describe('with two daemons', () => {
  let all;
  before(async () => {
    all = await Nodes.start('js-nodes', 2, { config: { bus: { lease: '1s' }, fanout: { poll_time: '300ms' } } });
  });
  after(() => all?.stop());

  const held = () => Promise.all(all.nodes.map((node) => node.look('/connections?details=true')));

  for (const transport of ALL) {
    test(`by ${transport}: renewals reach the daemon that has the stream, and when that dies nothing is lost`, async () => {
      const calls = [];
      const spy = async (url, init) => {
        const answer = await fetch(url, init);
        calls.push({ path: new URL(url).pathname, status: answer.status, redirected: answer.redirected });
        return answer;
      };
      const listener = listen({ url: all.url, transports: [transport], topics: [`t/${transport}`], clid: transport, beat: 500, backoff: 50, fetch: spy });
      await listener.client.ready();
      let sent = 0;
      const publish = async () => {
        for (let i = 0; i < EACH; i++) {
          await until('it is taken', async () => (await all.post({ id: `${transport}-${sent}`, ep: [`t/${transport}`], e: { type: 'n', detail: sent } })).status === 200);
          sent++;
        }
      };
      await publish();
      if (transport !== 'ws') {
        // Which daemon nginx asks is chance: some renewals come to the one that has to send them on. Polls are brought by a ticket.
        const isEnough = () => (transport === 'poll' ? calls.length > 5 : calls.some(({ redirected }) => redirected));
        await until('it was renewed', () => isEnough() || calls.length > 40);
        assert.deepEqual(calls.filter(({ status }) => status !== 200), []);
      }
      const node = await until('one of them has it', async () => {
        const at = (await held()).findIndex((streams) => Object.keys(streams).length > 0);
        return at >= 0 && all.nodes[at];
      });
      await node.daemon.end('SIGKILL');
      await publish();
      await until('all came', () => listener.events.length >= sent);
      await node.startDaemon();
      await publish();
      await until('all came', () => listener.events.length >= sent);
      assert.deepEqual(listener.events.map(({ detail }) => detail), Array.from({ length: sent }, (_, i) => i));
      listener.client.close();
      await until('nobody holds it', async () => (await held()).every((streams) => Object.keys(streams).length === 0));
    });
  }
});
