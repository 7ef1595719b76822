// nginx with a configuration of its own in the session's folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NCHAN_MODULE, NGINX } from '../harness/needs.mjs';
import { startServer, waitForServer } from '../harness/processes.mjs';

// Started by root, nginx would give its workers to another user, who cannot reach the session's sockets.
const user = process.getuid() === 0 ? 'user root;' : '';

/** http: lines of the http block, server: of its only server. */
export async function startNginx(dir, { port, workers, nchan = false, http = '', server }) {
  for (const name of ['body', 'proxy', 'fastcgi', 'scgi', 'uwsgi']) mkdirSync(join(dir, 'nginx', name), { recursive: true });
  const config = `
${user}
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${dir}/nginx/pid;
error_log ${dir}/nginx/error.log warn;
${nchan ? `load_module ${NCHAN_MODULE};` : ''}
events { worker_connections 15000; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_body_temp_path ${dir}/nginx/body;
  proxy_temp_path ${dir}/nginx/proxy;
  fastcgi_temp_path ${dir}/nginx/fastcgi;
  scgi_temp_path ${dir}/nginx/scgi;
  uwsgi_temp_path ${dir}/nginx/uwsgi;
${http}
  server {
    listen 127.0.0.1:${port} backlog=4096;
${server}
  }
}
`;
  const path = join(dir, 'nginx', 'nginx.conf');
  writeFileSync(path, config);
  const nginx = startServer(dir, 'nginx', NGINX, ['-p', dir, '-c', path, '-e', join(dir, 'nginx', 'error.log')]);
  await waitForServer(nginx, port, workers);
  return nginx;
}
