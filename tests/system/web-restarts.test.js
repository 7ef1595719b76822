'use strict';

// A web server that is asked to end while it passes streams on waits for them. The daemon lets them go (SIGUSR1), as
// deploy/nginx/nginx.service.conf and its like ask it to (tests/install has them under systemd): then the web server ends,
// and every client comes back with all that it missed.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { EventSource } = require('eventsource');
const { source: sources } = require('./lib/paths');
const { until } = require('./lib/wait');
const { BehindWebServer } = require('./lib/webservers');

/** How each is asked to end when it has nothing more to do. */
const graceful = { nginx: 'SIGQUIT', 'Apache with mod_fcgid': 'SIGWINCH' };

for (const [name, signal] of Object.entries(graceful)) {
  describe(`${name} is restarted`, () => {
    let web;
    let page;
    before(async () => {
      web = await BehindWebServer.start(name, { config: { fanout: { retry_time: '400ms' } } });
    });
    after(async () => {
      page?.source.close();
      await web?.stop();
    });

    test('and ends when the daemon has let its streams go, which come back', async () => {
      const source = new EventSource(`${web.url}sse?ep=a`);
      page = { source, connected: 0, told: [], heard: [] };
      source.addEventListener('connected', () => page.connected++);
      source.addEventListener('stopping', ({ data }) => page.told.push(JSON.parse(data).e.detail.retry));
      source.onmessage = ({ data }) => page.heard.push(JSON.parse(data).e.type);
      await until('the page is connected', () => page.connected === 1);

      web.stack.daemon.signal('SIGUSR1');
      await until('it was let go and is back', () => page.told.length === 1 && page.connected === 2);
      assert.ok(page.told[0] >= 100 && page.told[0] <= 400, `${page.told}`);

      web.server.signal(signal); // with the stream that has come back: it waits
      web.stack.daemon.signal('SIGUSR1');
      assert.equal(await web.server.end(signal), 0, 'it ends by itself, without SIGTERM');
      await web.stack.publish('a', 'meanwhile');
      web.server = await web.startServer();
      await until('the page has heard it', () => page.heard.at(-1) === 'meanwhile');
      assert.deepEqual(page.heard, ['meanwhile']);
    });

    test('the unit asks for it', () => {
      const file = name === 'nginx' ? 'nginx/nginx.service.conf' : 'apache/apache2.service.conf';
      const text = fs.readFileSync(path.join(sources, 'deploy', file), 'utf8');
      const release = 'ExecStop=-\\S*systemctl kill --signal=SIGUSR1 esn-fanout.service\n';
      assert.match(text, new RegExp(`^ExecStop=\n${release}ExecStop=-\\S*sleep .*\nExecStop=\\S.*\n${release}`, 'm'));
    });
  });
}
