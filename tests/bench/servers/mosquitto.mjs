import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT, OTHER_TOPIC, TOPIC, heldPatterns, heldTopics } from './event.mjs';
import { MOSQUITTO } from '../harness/needs.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

// MQTT 3.1.1 packets, as latin1 text so that the places for numbers and stamps can be written into them.
const field = (text) => String.fromCharCode(text.length >> 8, text.length & 255) + text;

function packet(first, body) {
  let length = body.length;
  let size = '';
  do {
    const low = length % 128;
    length = Math.floor(length / 128);
    size += String.fromCharCode(length > 0 ? low | 128 : low);
  } while (length > 0);
  return String.fromCharCode(first) + size + body;
}

const connect = (client) => packet(0x10, `${field('MQTT')}\x04\x02\x00\x00${field(client)}`);
const subscribe = (topics) => packet(0x82, `\x00\x01${topics.map((topic) => `${field(topic)}\x00`).join('')}`);
const bytes = (text) => Buffer.from(text, 'latin1');

export const mosquitto = {
  name: 'mosquitto',
  label: 'Mosquitto',
  async start(dir) {
    const port = await freePort();
    writeFileSync(join(dir, 'mosquitto.conf'), [
      `listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'set_tcp_nodelay true', 'sys_interval 0',
      'max_queued_messages 0', 'log_type error', ...(process.getuid() === 0 ? ['user root'] : []), ''].join('\n'));
    const server = startServer(dir, 'mosquitto', MOSQUITTO, ['-c', join(dir, 'mosquitto.conf')]);
    await waitForServer(server, port);
    const subscription = (client, topics) => ({
      port,
      request: bytes(connect(client) + subscribe(topics)),
      subscribed: topics.length === 1 ? '9003000100' : '0001000000000000', // SUBACK: every topic granted QoS 0
    });
    return {
      pids: () => pidsOf(server),
      subscriber: subscription('news-{{ID}}', [TOPIC]),
      idle: subscription('idle-{{ID}}', [OTHER_TOPIC]),
      holders: (kind, count) => subscription(`${kind}-{{ID}}`, kind === 'patterns' ? heldPatterns(count) : heldTopics(count)),
      publisher: {
        port, hello: bytes(connect('publisher')), greeted: '20020000', message: bytes(packet(0x30, field(TOPIC) + EVENT)),
      },
      stop: () => endServer(server),
    };
  },
};
