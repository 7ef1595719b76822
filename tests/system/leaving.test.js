'use strict';

// A page that is closed is gone for the broker within seconds, also behind a web server that looks at it only when it writes.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const WebSocket = require('ws');
const { EventStream } = require('./lib/event-stream');
const { Subscriber } = require('./lib/subscriber');
const { until } = require('./lib/wait');
const { BehindWebServer, servers } = require('./lib/webservers');

/** No keep-alive of other streams comes while a test lasts, so nothing but what is tested here can tell. */
const config = { fanout: { keep_alive: '1h', proxied_keep_alive: '1s' } };

/** Each gives what makes it leave. */
const ways = {
  frames: async (url) => {
    const stream = await Subscriber.open(url, { ep: ['a'], clid: 'frames' });
    return () => stream.close();
  },
  'Server-Sent Events': async (url) => {
    const stream = await EventStream.open(`${url}sse?ep=a&clid=sse`);
    return () => stream.close();
  },
  WebSocket: async (url) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}ws?ep=a&clid=ws`);
    let isConnected = false;
    socket.on('message', () => (isConnected = true));
    socket.on('error', () => {});
    await until('it is connected', () => isConnected);
    return () => socket.terminate();
  },
};

for (const name of Object.keys(servers)) {
  describe(`a page that leaves ${name}`, () => {
    let web;
    before(async () => {
      web = await BehindWebServer.start(name, { config });
    });
    after(() => web?.stop());

    for (const [way, open] of Object.entries(ways)) {
      // Where no WebSocket passes, its client gets the daemon's own address.
      if (way === 'WebSocket' && servers[name].mode === 'redirect') {
        continue;
      }
      test(`by ${way} is gone, nothing being published`, async () => {
        const { events } = await web.stack.look('/state');
        const leave = await open(web.url);
        await web.stack.untilTotal(1);
        leave();
        await web.stack.untilTotal(0);
        assert.equal((await web.stack.look('/state')).events, events);
      });
    }
  });
}
