// How many events a second are published in batches, through the web server: with nobody subscribed, and with one subscriber.
import { keepMessage, nextLine, runTool, startTool } from '../harness/tools.mjs';
import { streamOptions, withServer } from '../harness/session.mjs';
import * as servers from '../servers/index.mjs';

const CLIENTS = 16;
const SIZES = [1, 10, 100, 1000];

function loadOptions(context, dir, running, batch) {
  const options = ['--port', String(batch.port), '--request', keepMessage(dir, 'batch', batch.request), '--clients', String(CLIENTS),
    '--seconds', context.quick ? '1' : '3', '--server', running.pids().join(',')];
  if (batch.answered) options.push('--answered', batch.answered, '--answers', String(batch.answers));
  if (batch.hello) options.push('--hello', keepMessage(dir, 'batch-hello', batch.hello));
  return options;
}

async function measureBatches(context, server, round, subscribers) {
  await withServer(context, server, async (running, dir) => {
    const listener = subscribers === 0 ? null
      : startTool(context.programs.holdStreams, [...streamOptions(dir, 'subscribe', running.subscriber), '--count', String(subscribers)]);
    if (listener) await nextLine(listener, 0);
    for (const events of running.batchSizes ?? SIZES) {
      const [record] = await runTool(context.programs.postLoad, loadOptions(context, dir, running, running.batch(events, subscribers > 0)));
      context.figures.add('batches', {
        round, server: server.name, clients: CLIENTS, subscribers, events, ...record, rate: record.rate * events, cpu_us: record.cpu_us / events,
      });
    }
    listener?.child.stdin.end();
    await listener?.done;
  });
}

export const batches = {
  name: 'batches',
  servers: [servers.notifyWeb, servers.nchanWebsocket, servers.nats, servers.redis],
  async measure(context, server, round) {
    for (const subscribers of [0, 1]) await measureBatches(context, server, round, subscribers);
  },
};
