// What one delivery costs, from one subscriber to a thousand, with one event in flight and with 32.
import { runStages, withServer } from '../harness/session.mjs';
import * as servers from '../servers/index.mjs';

const FULL = [
  { subscribers: 1, events: 300, window: 1 },
  { subscribers: 10, events: 150, window: 1 },
  { subscribers: 100, events: 100, window: 1 },
  { subscribers: 1000, events: 300, window: 1 },
  { subscribers: 1000, events: 512, window: 32 },
];
const QUICK = [{ subscribers: 100, events: 50, window: 1 }, { subscribers: 1000, events: 20, window: 1 }, { subscribers: 1000, events: 64, window: 32 }];

export const fanout = {
  name: 'fanout',
  servers: [servers.floor, servers.floorBatch, servers.notify, servers.notifySse, servers.notifyWebsocket, servers.notifyWeb, servers.nchanWebsocket, servers.nchanChunked, servers.nchanEvents,
    servers.nats, servers.mosquitto, servers.redis],
  async measure(context, server, round) {
    await withServer(context, server, async (running, dir) => {
      const records = await runStages(context, dir, running, context.quick ? QUICK : FULL);
      for (const record of records.slice(1)) context.figures.add('fanout', { round, server: server.name, ...record });
    });
  },
};
