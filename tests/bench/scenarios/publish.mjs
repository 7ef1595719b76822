// How many posts a second pass through the web server, with nobody subscribed.
import { keepMessage, runTool } from '../harness/tools.mjs';
import { withServer } from '../harness/session.mjs';
import * as servers from '../servers/index.mjs';

const CLIENTS = 16;

async function measurePosts(context, round, dir, name, posts, pids) {
  const [record] = await runTool(context.programs.postLoad, [
    '--port', String(posts.port), '--request', keepMessage(dir, name, posts.request), '--clients', String(CLIENTS),
    '--seconds', context.quick ? '1' : '3', '--server', pids.join(','),
  ]);
  context.figures.add('publish', { round, server: name, clients: CLIENTS, ...record });
}

export const publish = {
  name: 'publish',
  servers: [servers.notifyWeb, servers.notifyWebKept, servers.nchanWebsocket],
  async measure(context, server, round) {
    await withServer(context, server, async (running, dir) => {
      // The empty answer comes from the same nginx, right before.
      if (running.emptyPosts) await measurePosts(context, round, dir, 'empty', running.emptyPosts, running.emptyPids());
      await measurePosts(context, round, dir, server.name, running.posts, running.pids());
    });
  },
};
