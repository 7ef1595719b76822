// What it costs to accept a subscription and to hold it, up to 10,000; and a delivery to all of them.
import { runStages, withServer } from '../harness/session.mjs';
import * as servers from '../servers/index.mjs';

const FULL = [
  { subscribers: 2500, events: 0, window: 1 },
  { subscribers: 5000, events: 0, window: 1 },
  { subscribers: 10000, events: 10, window: 1 },
];
const QUICK = [{ subscribers: 10000, events: 3, window: 1 }];

export const streams = {
  name: 'streams',
  servers: [servers.floor, servers.floorBatch, servers.notify, servers.notifyHeaders, servers.notifySse, servers.notifyWebsocket, servers.nchanWebsocket, servers.nchanChunked, servers.nchanEvents,
    servers.nats, servers.mosquitto, servers.redis],
  async measure(context, server, round) {
    await withServer(context, server, async (running, dir) => {
      const records = await runStages(context, dir, running, context.quick ? QUICK : FULL);
      for (const record of records) context.figures.add('streams', { round, server: server.name, ...record });
      const before = records[0];
      const all = records.at(-1);
      const added = records.slice(1);
      const perStream = (column) => added.reduce((sum, record) => sum + record[column] * record.added, 0) / all.subscribers;
      context.figures.add('stream', {
        round,
        server: server.name,
        subscribers: all.subscribers,
        connect_cpu_us: perStream('connect_cpu_us'),
        connect_wall_us: perStream('connect_wall_us'),
        pss_kib: (all.pss_kib - before.pss_kib) / all.subscribers,
        slab_kib: (all.slab_kib - before.slab_kib) / all.subscribers,
      });
    });
  },
};
