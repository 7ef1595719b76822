// The client on lines that are cut, slow or stand still, with proxies that restart: each event once, in order.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, describe, test } from 'node:test';
import { ALL, listen } from '../lib/listener.js';
import { until } from '../lib/wait.js';

const require = createRequire(import.meta.url);
const { Line } = require('../../../../tests/lib/line.js');
const { startProxy } = require('../../../../tests/system/lib/proxies.js');
const { Stack } = require('../../../../tests/system/lib/stack.js');
const { BehindWebServer } = require('../../../../tests/system/lib/webservers.js');

const CONFIG = { log: { path: 'recent.log' }, fanout: { keep_alive: '1s', poll_time: '2s', poll_gap: '2s' } };

async function behind(name) {
  const web = await BehindWebServer.start(name, { config: CONFIG });
  return { stack: web.stack, port: web.port, path: '/notify/', restart: () => web.restartServer(), stop: () => web.stop() };
}

async function directly(name) {
  const stack = await Stack.start('lines', { handlers: 1, config: CONFIG });
  const proxy = name && (await startProxy(name, stack.folder, stack.port));
  const restart = async () => {
    if (proxy) return proxy.restart();
    await stack.daemon.end('SIGKILL');
    return stack.startDaemon();
  };
  const stop = async () => {
    await proxy?.stop();
    await stack.stop();
  };
  return { stack, port: proxy ? proxy.port : stack.port, path: '/', restart, stop };
}

const places = {
  'the daemon': () => directly(),
  nginx: () => behind('nginx'),
  'Apache with mod_fcgid': () => behind('Apache with mod_fcgid'),
  HAProxy: () => directly('HAProxy'),
};

// Each place is a world of its own; all four wait most of the time.
describe('on a line', { concurrency: true }, () => {
  for (const [place, start] of Object.entries(places)) {
    describe(`a line to ${place}`, { concurrency: 1 }, () => {
      let served;
      let line;
      let listener;
      before(async () => {
        served = await start();
        line = await Line.start(served.port);
      });
      after(async () => {
        await line?.stop();
        await served?.stop();
      });
      afterEach(async () => {
        line.delay = 0;
        line.flow();
        await line.up();
        await listener?.client.close();
        line.cut();
        await served.stack.untilTotal(0);
      });

      const begin = async (transport, options) => {
        const url = line.url + served.path;
        listener = listen({ url, transports: [transport], topics: ['a'], silence: 5000, ...options });
        await listener.client.ready();
      };
      const publish = (...types) => types.reduce((last, type) => last.then(() => served.stack.publishInTheEnd('a', type)), Promise.resolve());

      for (const transport of ALL) {
        test(`${transport}: it is cut, is down, stands still`, async () => {
          await begin(transport);
          await publish('one');
          await listener.heard('one');
          line.cut();
          await publish('two');
          await listener.heard('two');
          await line.down();
          await publish('three');
          await line.up();
          await listener.heard('three');
          line.stand();
          await publish('four');
          line.cut();
          line.flow();
          await publish('five');
          await listener.heard('five');
          assert.deepEqual(listener.types(), ['one', 'two', 'three', 'four', 'five']);
        });

        test(`${transport}: it stands still without a word, is noticed, and flows again`, async () => {
          await begin(transport, { silence: 1500 });
          line.stand();
          await publish('one');
          await until('it is noticed', () => listener.states.some((state) => state === 'waiting'));
          line.flow();
          await listener.heard('one');
          await publish('two');
          await listener.heard('two');
          assert.deepEqual(listener.types(), ['one', 'two']);
        });

        test(`${transport}: what is behind it restarts while events are published`, async () => {
          await begin(transport);
          await publish('one', 'two');
          const restarted = served.restart();
          await publish('three');
          await restarted;
          await publish('four');
          await listener.heard('four');
          assert.deepEqual(listener.types(), ['one', 'two', 'three', 'four']);
        });

        test(`${transport}: 400 ms there and back, while topics come and go`, async () => {
          line.delay = 200;
          await begin(transport);
          const { client } = listener;
          const more = client.subscribe('b');
          await publish('one');
          await more;
          await served.stack.publish('b', 'of b');
          await Promise.all([client.subscribe('c'), client.subscribe('d')]);
          for (const topic of ['c', 'd']) await served.stack.publish(topic, `of ${topic}`);
          await publish('two');
          await listener.heard('two');
          assert.deepEqual(listener.types(), ['one', 'of b', 'of c', 'of d', 'two']);
        });
      }
    });
  }
});
