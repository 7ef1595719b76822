// 10,000 streams opened as fast as they can be, and closed all at once, while an event flows every 50 ms to ten witnesses.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadOptions, streamOptions, withServer } from '../harness/session.mjs';
import { nextLine, startTool } from '../harness/tools.mjs';
import * as servers from '../servers/index.mjs';

const STREAMS = 10_000;
const WITNESSES = 10;
const EVENTS_PER_SECOND = 20;
const EVENTS = 100;
const AFTER_CLOSING_NS = 1e9; // the server still has its side to close

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function readDeliveries(path) {
  return readFileSync(path, 'utf8').trim().split('\n').slice(1).map((line) => {
    const [sent, late] = line.split(',').map(Number);
    return { sent, late_ms: late / 1e6 };
  });
}

/** The latest of the deliveries whose event was sent, or still on its way, within the span. */
function latest(deliveries, from, to) {
  const within = deliveries.filter(({ sent, late_ms: late }) => sent + late * 1e6 >= from && sent <= to);
  return Math.max(...within.map((delivery) => delivery.late_ms));
}

async function burstOnce(context, running, dir) {
  const options = streamOptions(dir, 'burst', running.idle);
  const burst = startTool(context.programs.holdStreams, [...options, '--count', String(STREAMS)]);
  const opened = await nextLine(burst, 0);
  await pause(800);
  burst.child.stdin.end();
  await burst.done;
  return { opened, closed: burst.lines[1] };
}

export const burst = {
  name: 'burst',
  servers: [servers.floor, servers.notify, servers.nchanWebsocket],
  async measure(context, server, round) {
    await withServer(context, server, async (running, dir) => {
      const csv = join(context.out, `raw-burst-${server.name}-${round}.csv`);
      // Every event must reach every witness within ten seconds, in its turn, or the tool fails.
      const witnesses = startTool(context.programs.fanoutLoad, [
        ...loadOptions(dir, running, [{ subscribers: WITNESSES, events: EVENTS, window: 1 }]),
        '--rate', String(EVENTS_PER_SECOND), '--csv', csv,
      ]);
      await Promise.race([pause(1200), witnesses.done]);
      const { opened, closed } = await burstOnce(context, running, dir);
      await witnesses.done;
      const deliveries = readDeliveries(csv);
      context.figures.add('burst', {
        round,
        server: server.name,
        subscribers: STREAMS,
        events: EVENTS,
        open_wall_ms: (opened.ended_ns - opened.began_ns) / 1e6,
        close_wall_ms: (closed.ended_ns - closed.began_ns) / 1e6,
        quiet_ms: latest(deliveries, opened.ended_ns + 3e8, closed.began_ns - 1e8),
        opening_ms: latest(deliveries, opened.began_ns, opened.ended_ns),
        closing_ms: latest(deliveries, closed.began_ns, closed.ended_ns + AFTER_CLOSING_NS),
      });
    });
  },
};
