'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { LOGGED, startApache } = require('./apache');
const { startNginx } = require('./nginx');
const { programs, source } = require('./paths');
const { freePort } = require('./ports');
const { Program } = require('./program');
const { Stack } = require('./stack');

/** A file of deploy/ with what its comments say is to be changed: each `from` is there, or the test is out of date. */
function adapted(file, changes) {
  let text = fs.readFileSync(path.join(source, 'deploy', file), 'utf8');
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `${from} in ${file}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const daemon = (web) => ['127.0.0.1:8010', `127.0.0.1:${web.stack.port}`];
const sockets = (web) => [
  ['/run/es-web-notify/event.sock', web.stack.handlers[0].socket],
  ['/run/es-web-notify/subscribe.sock', web.subscribeSocket],
];
const installed = (web) => [
  ['/usr/local/libexec/esn-event', programs.event],
  ['/usr/local/libexec/esn-subscribe', programs.subscribe],
  ['/etc/es-web-notify.conf', web.stack.file],
];

/** The site has the CustomLog that the file asks for (apache.js). */
function apache(mode, file, changes) {
  const text = fs.readFileSync(path.join(source, 'deploy', file), 'utf8');
  assert.ok(text.includes(`/access.log ${LOGGED}\n`), `${LOGGED} in ${file}`);
  return { mode, start: (web, folder, port) => startApache(folder, port, adapted(file, changes(web))) };
}

/** Each file of deploy/ that a web server includes: with which [handoff] mode, and how it is started. */
const servers = {
  nginx: {
    mode: 'accel',
    start: (web, folder, port) =>
      startNginx(folder, port, { server: adapted('nginx/es-web-notify.conf', [daemon(web), ...sockets(web)]) }),
  },
  'Apache with mod_fcgid': apache('local', 'apache/es-web-notify.conf', (web) => [daemon(web), sockets(web)[0], ...installed(web).slice(1)]),
  'Apache with mod_proxy_fcgi': apache('redirect', 'apache/es-web-notify-redirect.conf', (web) => [
    daemon(web),
    ...sockets(web),
  ]),
  'Apache with plain CGI': apache('local', 'apache/es-web-notify-cgi.conf', (web) => [daemon(web), ...installed(web)]),
};

/** A stack behind one of the web servers above. `prepare(stack)` may put files into its folder before it starts. */
class BehindWebServer {
  static async start(name, { config = {}, prepare = () => {}, handlerWrapper = [], engine } = {}) {
    const web = new BehindWebServer();
    web.mode = servers[name].mode;
    web.stack = new Stack('web', {
      handlers: 1,
      handlerWrapper,
      engine,
      config: { ...config, ticket: { secret_file: 'ticket.secret' } },
    });
    web.stack.writeTokens('ticket.secret', ['the secret of the tickets of these tests']);
    prepare(web.stack);
    web.subscribeSocket = path.join(web.stack.folder, 'subscribe.sock');
    try {
      await web.stack.start();
      await web.#startRest(name);
    } catch (error) {
      await web.stop().catch(() => {}); // what is left running would keep the test from ending
      throw error;
    }
    return web;
  }

  async #startRest(name) {
    const { stack } = this;
    const port = await freePort();
    const folder = path.join(stack.folder, 'web');
    fs.mkdirSync(folder);
    this.port = port;
    this.url = `http://127.0.0.1:${port}/notify/`;
    stack.writeConfig({ handoff: { mode: this.mode, url: `${stack.url}/` } });
    this.handler = new Program(
      'esn-subscribe',
      [
        ...stack.options.handlerWrapper,
        ...[programs.subscribe, '--config', stack.file, '--listen', `unix:${this.subscribeSocket}`, '--workers', '2'],
      ],
      { log: path.join(stack.folder, 'esn-subscribe.log') },
    );
    await this.handler.until('esn-subscribe listens', () => fs.existsSync(this.subscribeSocket));
    this.startServer = () => servers[name].start(this, folder, port);
    this.server = await this.startServer();
  }

  /** Ends the web server with all that it holds, and starts it again. */
  async restartServer(signal) {
    await this.server.end(signal);
    this.server = await this.startServer();
  }

  async stop() {
    const codes = [await this.server?.end(), await this.handler?.end()];
    const faults = this.server?.faults?.() ?? [];
    await this.stack.stop();
    assert.deepEqual(codes, [0, 0], 'exit codes of web server and esn-subscribe');
    assert.deepEqual(faults, []);
  }
}

module.exports = { BehindWebServer, servers };
