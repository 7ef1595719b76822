import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT, PLAIN_EVENT, heldPatterns, heldTopics } from './event.mjs';
import { NATS } from '../harness/needs.mjs';
import { hex } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

const HELLO = 'CONNECT {"verbose":false,"pedantic":false,"name":"bench"}\r\n';
const subject = (topic) => topic.replaceAll('/', '.').replaceAll('+', '*').replaceAll('#', '>');
const subscribe = (topics) => `${HELLO}${topics.map((topic, i) => `SUB ${subject(topic)} ${i + 1}\r\n`).join('')}PING\r\n`;

export const nats = {
  name: 'nats',
  label: 'NATS',
  async start(dir) {
    const port = await freePort();
    writeFileSync(join(dir, 'nats.conf'), `host: "127.0.0.1"\nport: ${port}\nmax_connections: 20000\n`);
    const server = startServer(dir, 'nats-server', NATS, ['-c', join(dir, 'nats.conf')]);
    await waitForServer(server, port);
    const heard = { port, subscribed: hex('PONG\r\n') };
    return {
      pids: () => pidsOf(server),
      subscriber: { ...heard, request: subscribe(['bench/news']) },
      idle: { ...heard, request: subscribe(['bench/other']) },
      holders: (kind, count) => ({ ...heard, request: subscribe(kind === 'patterns' ? heldPatterns(count) : heldTopics(count)) }),
      publisher: {
        port, hello: `${HELLO}PING\r\n`, greeted: hex('PONG\r\n'),
        message: `PUB bench.news ${EVENT.length}\r\n${EVENT}\r\n`,
      },
      // No event is answered: a PING behind the last one is.
      batch: (count, isHeard) => ({
        port, hello: HELLO, answered: hex('PONG\r\n'), answers: 1,
        request: `${`PUB bench.${isHeard ? 'news' : 'nobody'} ${PLAIN_EVENT.length}\r\n${PLAIN_EVENT}\r\n`.repeat(count)}PING\r\n`,
      }),
      stop: () => endServer(server),
    };
  },
};
