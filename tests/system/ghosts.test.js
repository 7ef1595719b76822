'use strict';

// A client whose cable is pulled while events go on: nobody tells the proxy before it, which takes all that it is given. A
// WebSocket is asked whether it is there; others say so, where the page wants it (`beat`).

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const WebSocket = require('ws');
const { Line } = require('../lib/line');
const { startProxy } = require('./lib/proxies');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { BehindWebServer } = require('./lib/webservers');

/** Each gives {stack, url, stop()}. */
const ways = {
  'the daemon itself': async () => {
    const stack = await Stack.start('ghosts', { handlers: 1, config });
    return { stack, url: `${stack.url}/`, stop: () => stack.stop() };
  },
  HAProxy: async () => {
    const stack = await Stack.start('ghosts', { handlers: 1, config });
    const proxy = await startProxy('HAProxy', stack.folder, stack.port);
    return { stack, url: proxy.url, stop: async () => (await proxy.stop(), stack.stop()) };
  },
  nginx: () => BehindWebServer.start('nginx', { config }),
  'Apache with mod_fcgid': () => BehindWebServer.start('Apache with mod_fcgid', { config }),
};
const config = { fanout: { keep_alive: '3s' } }; // enough for an answer on a busy machine

// Each way is a world of its own; all four wait most of the time.
describe('ghosts', { concurrency: true }, () => {
  for (const [name, start] of Object.entries(ways)) {
    describe(`a client that is cut off before ${name}`, { concurrency: 1 }, () => {
      let way;
      let line;
      const sockets = [];
      before(async () => {
        way = await start();
        line = await Line.start(Number(new URL(way.url).port));
      });
      after(async () => {
        sockets.forEach((socket) => socket.terminate());
        await line?.stop();
        await way?.stop();
      });

      async function open(url, clid) {
        const socket = new WebSocket(`${url.replace(/^http/, 'ws')}ws?${new URLSearchParams({ ep: 'a', clid })}`);
        sockets.push(socket);
        const one = { messages: 0, pings: 0, isOver: false };
        socket.on('message', () => one.messages++);
        socket.on('ping', () => one.pings++); // ws answers by itself
        socket.on('close', () => (one.isOver = true));
        socket.on('error', () => {});
        await until('it is connected', () => one.messages > 0);
        return one;
      }

      for (const transport of ['frames', 'sse']) {
        test(`is taken for gone by ${transport} when its beat does not come, and who says that it is there stays`, async () => {
          const { connect } = await import('../../clients/js/src/index.js');
          const clients = [];
          const begin = async (url, clid) => {
            let beats = 0;
            const counting = async (...request) => {
              const answer = await fetch(...request);
              if (String(request[0]).endsWith('alive')) beats++;
              return answer;
            };
            const client = connect({ url, clid, transports: [transport], topics: ['a'], beat: 1500, backoff: 50, fetch: counting });
            clients.push(client);
            await until('its beat is known', () => beats > 0);
            return client;
          };
          const there = await begin(way.url, `there by ${transport}`);
          await begin(`${line.url}${new URL(way.url).pathname}`, `cut off by ${transport}`);
          const { connid } = there;
          const present = () => way.stack.look('/connections');
          await until('both are present', async () => (await present())[`cut off by ${transport}`] === 1);
          line.stand();
          const { silent } = (await way.stack.look('/state')).closed;
          await until('only who says so is present', async () => {
            await way.stack.publish('a', 'x');
            return (await present())[`cut off by ${transport}`] === undefined;
          });
          assert.equal((await way.stack.look('/state')).closed.silent, silent + 1);
          assert.deepEqual([there.connid, there.state, (await present())[`there by ${transport}`]], [connid, 'connected', 1]);
          line.flow();
          await Promise.all(clients.map((client) => client.close()));
          await way.stack.untilTotal(0);
        });
      }

      test('is taken for gone as a WebSocket, events or not, and who answers stays', async () => {
        const there = await open(way.url, 'there');
        await open(`${line.url}${new URL(way.url).pathname}`, 'cut off');
        line.stand();
        await until('only who answers is present', async () => {
          await way.stack.publish('a', 'x');
          const { 'cut off': gone, there: stays } = await way.stack.look('/connections');
          assert.equal(stays, 1);
          return gone === undefined;
        });
        const { pings } = there;
        await until('it is asked again', () => there.pings > pings + 2);
        assert.equal(there.isOver, false);
        line.flow();
        sockets.splice(0).forEach((socket) => socket.terminate());
        await way.stack.untilTotal(0);
      });
    });
  }
});
