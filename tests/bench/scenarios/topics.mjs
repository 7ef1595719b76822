// What an event to one receiver costs while other connections hold many topics that it does not match.
import { loadOptions, streamOptions, withServer } from '../harness/session.mjs';
import { nextLine, runTool, startTool } from '../harness/tools.mjs';
import * as servers from '../servers/index.mjs';

const TOPICS_PER_HOLDER = 1000;
const MEASURED = [{ subscribers: 1, events: 2000, window: 1 }];
const QUICK = [{ subscribers: 1, events: 300, window: 1 }];

async function hold(context, dir, running, kind, holders, count) {
  const stream = running.holders(kind, count);
  const tool = startTool(context.programs.holdStreams, [...streamOptions(dir, kind, stream), '--count', String(holders)]);
  await nextLine(tool, 0);
  return tool;
}

/** topics: how many exact ones are held; a tenth as many patterns are held besides. */
async function measureHeld(context, server, round, topics) {
  await withServer(context, server, async (running, dir) => {
    const perHolder = Math.min(TOPICS_PER_HOLDER, topics / 10);
    const tools = topics === 0 ? [] : [
      await hold(context, dir, running, 'topics', topics / perHolder, perHolder),
      await hold(context, dir, running, 'patterns', topics / perHolder / 10, perHolder),
    ];
    const options = loadOptions(dir, running, context.quick ? QUICK : MEASURED);
    const records = await runTool(context.programs.fanoutLoad, options);
    for (const tool of tools) tool.child.stdin.end();
    for (const tool of tools) await tool.done;
    context.figures.add('topics', { round, server: server.name, topics, ...records[1] });
  });
}

export const topics = {
  name: 'topics',
  servers: [servers.notify, servers.nats, servers.mosquitto, servers.redis],
  async measure(context, server, round) {
    const own = server === servers.notify && !context.quick;
    for (const count of own ? [0, 1000, 10_000, 100_000] : [0, 100_000]) await measureHeld(context, server, round, count);
  },
};
