'use strict';

// Many an EventSource, as it is in browsers (closed for good by any answer but 200), behind web servers and at the daemon itself:
// it goes away and comes back, or is full for a while.

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { EventSource } = require('eventsource');
const { request } = require('./lib/http');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');
const { BehindWebServer } = require('./lib/webservers');

const MANY = 200;

// Each server is a world of its own; both wait most of the time.
describe('EventSources behind web servers', { concurrency: true }, () => {
  for (const name of ['nginx', 'Apache with mod_fcgid']) {
    describe(`${MANY} EventSources behind ${name}`, { concurrency: 1 }, () => {
      let web;
      let sources = [];
      before(async () => {
        web = await BehindWebServer.start(name, {
          config: { fanout: { retry_time: '400ms', stop_spread: '0s', keep_alive: '1s' } },
          prepare: (stack) => {
            stack.config.log = { path: path.join(stack.folder, 'log'), sync: 'always' };
          },
        });
      });
      after(async () => {
        sources.forEach(({ source }) => source.close());
        await web?.stop();
      });

      function open() {
        const source = new EventSource(`${web.url}sse?ep=a`);
        const one = { source, heard: [], connected: 0, breaks: 0 };
        source.addEventListener('connected', () => one.connected++);
        source.onmessage = ({ data }) => one.heard.push(JSON.parse(data).e.type);
        source.onerror = ({ code, message }) => {
          one.breaks++;
          one.closedBy = source.readyState === EventSource.CLOSED ? `${code} ${message}` : undefined;
        };
        return one;
      }

      test('all come back when the daemon was away, with all that they missed', async () => {
        sources = Array.from({ length: MANY }, open);
        await until('all are connected', () => sources.every(({ connected }) => connected === 1));
        for (const signal of ['SIGTERM', 'SIGKILL']) {
          sources.forEach((one) => (one.breaks = 0));
          web.stack.daemon.signal(signal);
          await web.stack.daemon.ended;
          await until('each has come in vain', () => sources.every(({ breaks }) => breaks > 2));
          await web.stack.startDaemon();
          await web.stack.publishInTheEnd('a', signal);
          const closed = () => sources.map(({ closedBy }) => closedBy).filter(Boolean);
          await until('each has heard it', () => closed().length > 0 || sources.every(({ heard }) => heard.at(-1) === signal));
          assert.deepEqual(closed(), [], `closed for good after ${signal}`);
        }
        assert.deepEqual(sources.filter(({ heard }) => heard.join() !== 'SIGTERM,SIGKILL'), []);
        sources.forEach(({ source }) => source.close());
        await web.stack.untilTotal(0);
      });

      test('who asks for no event stream while the daemon is away is told by the status', async () => {
        await web.stack.daemon.end();
        try {
          const ask = (accept) => request(`${web.url}sse?ep=a`, { headers: { Accept: accept }, agent: false });
          const [source, other] = [await ask('text/event-stream'), await ask('application/json')];
          assert.deepEqual([source.status, other.status], [200, 503], other.text);
          assert.match(source.text, /^retry: \d+\n\n$/);
          assert.match(other.text, /^\{"error":/);
        } finally {
          await web.stack.startDaemon();
        }
      });

      test('one that comes while the daemon is full comes again', async () => {
        web.stack.writeConfig({ fanout: { max_connections: '1', retry_time: '400ms', keep_alive: '1s' } });
        await web.stack.daemon.end();
        await web.stack.startDaemon();
        sources = [open()];
        await until('the first is connected', () => sources[0].connected === 1);
        const headers = { Accept: 'text/event-stream' };
        const refused = await request(`${web.url}sse?ep=a`, { headers, agent: false });
        assert.deepEqual([refused.status, refused.headers['content-type'].split(';')[0]], [200, 'text/event-stream'], refused.text);
        assert.match(refused.text, /^retry: \d+\n\n$/);
        sources.push(open());
        await until('the second came in vain', () => sources[1].breaks > 2);
        sources[0].source.close();
        await until('the second is connected', () => sources[1].connected === 1);
        sources[1].source.close();
        web.stack.writeConfig();
        await web.stack.daemon.end();
        await web.stack.startDaemon();
      });
    });
  }
});

test('many EventSources at a full daemon itself come again, until there is room', async () => {
  const stack = await Stack.start('full', { handlers: 1, config: { fanout: { max_connections: '1', retry_time: '400ms', keep_alive: '1s' } } });
  const holder = await stack.subscribe(['a']);
  const sources = Array.from({ length: MANY }, () => {
    const one = { source: new EventSource(`${stack.url}/sse?ep=a`), breaks: 0, connected: 0 };
    one.source.addEventListener('connected', () => one.connected++);
    one.source.onerror = () => one.breaks++;
    return one;
  });
  try {
    await until('each has come in vain', () => sources.every(({ breaks }) => breaks > 1));
    assert.deepEqual(sources.filter(({ source }) => source.readyState === EventSource.CLOSED), [], 'closed for good');
    holder.close();
    await until('one has found room', () => sources.some(({ connected }) => connected > 0));
  } finally {
    sources.forEach(({ source }) => source.close());
    await stack.stop();
  }
});
