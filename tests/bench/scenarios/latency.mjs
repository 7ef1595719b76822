// From PHP's call of curl_exec() to the bytes in the subscriber's hands, one event at a time on an idle machine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PHP } from '../harness/needs.mjs';
import { keepMessage, startTool } from '../harness/tools.mjs';
import { loadOptions, withServer } from '../harness/session.mjs';
import { quantile } from '../harness/statistics.mjs';
import * as servers from '../servers/index.mjs';

const INTERVAL_US = 5000;
const FIRST_COUNTED = 20; // connections are opened by the first ones

function readLatencies(path) {
  return readFileSync(path, 'utf8').trim().split('\n').slice(1 + FIRST_COUNTED).map((line) => Number(line.split(',')[1]) / 1000);
}

export const latency = {
  name: 'latency',
  servers: [servers.notifyWeb, servers.notifyWebKept, servers.nchanChunked],
  async measure(context, server, round) {
    const events = context.quick ? 200 : 600;
    await withServer(context, server, async (running, dir) => {
      const csv = join(context.out, `raw-latency-${server.name}-${round}.csv`);
      const options = loadOptions(dir, running, [{ subscribers: 1, events, window: 1 }],
        { publish: false, stream: running.proxied ?? running.subscriber });
      let listening;
      const heard = new Promise((resolve) => { listening = resolve; });
      const receiver = startTool(context.programs.fanoutLoad, [...options, '--csv', csv], {
        onComplaint: (text) => text.includes('listening\n') && listening(),
      });
      await Promise.race([heard, receiver.done]);
      const body = keepMessage(dir, 'body', running.eventBody);
      const sender = startTool(PHP, [context.programs.postEvents, running.eventUrl, String(events), String(INTERVAL_US), body]);
      await sender.done;
      await receiver.done;
      const late = readLatencies(csv);
      context.figures.add('latency', {
        round, server: server.name, events: late.length, p50_us: quantile(late, 0.5), p99_us: quantile(late, 0.99), max_us: Math.max(...late),
      });
    });
  },
};

/** Latencies in microseconds of all rounds of a server. */
export function readAllLatencies(out, server, rounds) {
  return Array.from({ length: rounds }, (_, i) => readLatencies(join(out, `raw-latency-${server}-${i + 1}.csv`))).flat();
}
