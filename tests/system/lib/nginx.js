'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Program } = require('./program');
const { request } = require('./http');
const { tool } = require('./paths');

/**
 * Writes a configuration around the given parts of the `http` block and starts nginx in the foreground, ready when it
 * answers on `port`.
 */
async function startNginx(folder, port, { http = '', server = '' }) {
  const own = path.join(folder, 'nginx');
  fs.mkdirSync(own, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${own}/${name};`)
    .join('\n');
  // The master of a nginx started by root gives its workers to another user, who may not enter the test's folder.
  const user = process.getuid() === 0 ? 'user root;' : '';
  const file = path.join(own, 'nginx.conf');
  fs.writeFileSync(
    file,
    `${user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${own}/pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log ${own}/access.log;
${temporary}
  client_max_body_size 64m;
  gzip on;
  gzip_types *;
  gzip_proxied any;
  gzip_min_length 1;
${http}
  server {
    listen 127.0.0.1:${port};
${server}
  }
}
`,
  );
  const nginx = new Program('nginx', [tool('nginx', 'nginx'), '-p', own, '-c', file, '-e', 'stderr'], {
    log: path.join(folder, 'nginx.log'),
  });
  await nginx.until('nginx answers', () => request(`http://127.0.0.1:${port}/`, { agent: false }));
  return nginx;
}

module.exports = { startNginx };
