// Over TLS: a handshake, a stream of 10,000 that are held, and a delivery to all of them.
import { loadOptions, withServer } from '../harness/session.mjs';
import { runTool } from '../harness/tools.mjs';
import * as servers from '../servers/index.mjs';

const FULL = [{ subscribers: 10000, events: 20, window: 1 }];
const QUICK = [{ subscribers: 10000, events: 3, window: 1 }];
const HANDSHAKES = [{ subscribers: 1000, events: 0, window: 1 }, { subscribers: 5000, events: 0, window: 1 }];

/** Connections that ask for nothing but a short answer, after the first thousand. */
async function measureHandshakes(context, server, round) {
  await withServer(context, server, async (running, dir) => {
    const options = loadOptions(dir, running, HANDSHAKES, { publish: false, stream: running.handshake });
    const record = (await runTool(context.programs.fanoutLoad, options)).at(-1);
    context.figures.add('tls-handshake', { round, server: server.name, ...record });
  });
}

async function measureStreams(context, server, round) {
  await withServer(context, server, async (running, dir) => {
    const records = await runTool(context.programs.fanoutLoad, loadOptions(dir, running, context.quick ? QUICK : FULL));
    const [before, all] = [records[0], records.at(-1)];
    context.figures.add('tls', {
      round, server: server.name, ...all,
      pss_kib: (all.pss_kib - before.pss_kib) / all.subscribers, slab_kib: (all.slab_kib - before.slab_kib) / all.subscribers,
    });
  });
}

export const tls = {
  name: 'tls',
  servers: [servers.notifyTls, servers.notifyTlsWebsocket, servers.nchanTlsWebsocket, servers.nchanTlsEvents],
  async measure(context, server, round) {
    await measureHandshakes(context, server, round);
    await measureStreams(context, server, round);
  },
};
