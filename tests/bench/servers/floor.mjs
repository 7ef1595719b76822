import { EVENT } from './event.mjs';
import { hex } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

function kernelAlone(name, label, ...words) {
  return {
    name,
    label,
    async start(dir, programs) {
      const port = await freePort();
      const server = startServer(dir, name, programs.floor, [String(port), ...words]);
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
}

/** What the kernel alone costs: the server parses nothing and sends what it gets, to one after the other, or to many at once. */
export const floor = kernelAlone('floor', 'floor');
export const floorBatch = kernelAlone('floor-batch', 'floor, io_uring', 'batch');
