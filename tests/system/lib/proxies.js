'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { request } = require('./http');
const { freePort } = require('./ports');
const { tool } = require('./paths');
const { Program } = require('./program');

/** Each: (folder, port, daemon's port) => {config, command(file)}, as docs/clients.md advises. */
const kinds = {
  HAProxy: (folder, port, daemon) => ({
    config: `
global
  stats socket ${folder}/haproxy.sock
defaults
  mode http
  option abortonclose
  option forwardfor
  option http-no-delay
  timeout connect 5s
  timeout client 2m
  timeout server 2m
  timeout tunnel 1h
frontend page
  bind 127.0.0.1:${port}
  http-request del-header X-Forwarded-For
  default_backend broker
backend broker
  server daemon 127.0.0.1:${daemon}
`,
    command: (file) => [tool('haproxy', 'haproxy'), '-db', '-f', file],
  }),
  Varnish: (folder, port, daemon) => ({
    config: `
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${daemon}"; }
sub vcl_recv { return (pipe); }
sub vcl_pipe { if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; set bereq.http.connection = req.http.connection; } }
`,
    command: (file) => [
      ...[tool('varnishd', 'varnish'), '-F', '-f', file, '-a', `127.0.0.1:${port}`, '-n', `${folder}/varnish`],
      ...['-j', 'none', '-s', 'malloc,16m', '-T', 'none'],
    ],
  }),
};

/** Starts the proxy called `kind` before a daemon; gives {url, port, restart(), stop()}. */
async function startProxy(kind, folder, daemonPort) {
  const port = await freePort();
  const own = path.join(folder, kind);
  fs.mkdirSync(own);
  const { config, command } = kinds[kind](own, port, daemonPort);
  const file = path.join(own, 'config');
  fs.writeFileSync(file, config);
  const start = async () => {
    const program = new Program(kind, command(file), { log: path.join(own, 'log') });
    await program.until(`${kind} answers`, async () => {
      const answer = await request(`http://127.0.0.1:${port}/healthz`, { agent: false }).catch(() => undefined);
      return answer?.status === 200;
    });
    return program;
  };
  let proxy = await start();
  const restart = async () => {
    await proxy.end();
    proxy = await start();
  };
  return { url: `http://127.0.0.1:${port}/`, port, restart, stop: () => proxy.end() };
}

module.exports = { startProxy, proxies: Object.keys(kinds) };
