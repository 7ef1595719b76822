import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT, NOBODYS_TOPIC, OTHER_TOPIC, PLAIN_EVENT, TOPIC, heldPatterns, heldTopics } from './event.mjs';
import { REDIS } from '../harness/needs.mjs';
import { hex } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

const command = (...words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
const glob = (topic) => topic.replaceAll('+', '*').replaceAll('#', '*');

export const redis = {
  name: 'redis',
  label: 'Redis',
  async start(dir) {
    const port = await freePort();
    writeFileSync(join(dir, 'redis.conf'), [
      'bind 127.0.0.1', 'protected-mode no', `port ${port}`, 'daemonize no', 'save ""', 'appendonly no', 'maxclients 15000', 'tcp-backlog 4096',
      'client-output-buffer-limit pubsub 0 0 0', // a busy subscriber is waited for, and not closed
      `dir ${dir}`, ''].join('\n'));
    const server = startServer(dir, 'redis-server', REDIS, [join(dir, 'redis.conf')]);
    await waitForServer(server, port);
    const subscription = (verb, topics) => ({
      port, request: command(verb, ...topics), subscribed: hex(`\r\n:${topics.length}\r\n`),
    });
    return {
      pids: () => pidsOf(server),
      subscriber: subscription('SUBSCRIBE', [TOPIC]),
      idle: subscription('SUBSCRIBE', [OTHER_TOPIC]),
      holders: (kind, count) => (kind === 'patterns'
        ? subscription('PSUBSCRIBE', heldPatterns(count).map(glob))
        : subscription('SUBSCRIBE', heldTopics(count))),
      publisher: { port, message: command('PUBLISH', TOPIC, EVENT) },
      // One answer for each of them.
      batch: (count, isHeard) => ({
        port, request: command('PUBLISH', isHeard ? TOPIC : NOBODYS_TOPIC, PLAIN_EVENT).repeat(count), answered: hex('\r\n'), answers: count,
      }),
      stop: () => endServer(server),
    };
  },
};
