import { EVENT } from './event.mjs';
import { hex } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

/** What the kernel alone costs: the server parses nothing and sends what it gets. */
export const floor = {
  name: 'floor',
  label: 'floor',
  async start(dir, programs) {
    const port = await freePort();
    const server = startServer(dir, 'floor', programs.floor, [String(port)]);
    await waitForServer(server, port);
    return {
      pids: () => pidsOf(server),
      subscriber: { port, request: 'S{{ID}}', subscribed: hex('floor-subscribed') },
      idle: { port, request: 'H{{ID}}', subscribed: hex('floor-subscribed') },
      publisher: { port, message: EVENT },
      stop: () => endServer(server),
    };
  },
};
