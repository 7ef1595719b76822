// What must be installed. A missing peer is an error that names its package, not a column that is silently empty.
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

export const NGINX = '/usr/sbin/nginx';
export const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
export const NATS = '/usr/sbin/nats-server';
export const MOSQUITTO = '/usr/sbin/mosquitto';
export const REDIS = '/usr/bin/redis-server';
export const PHP = '/usr/bin/php';
const OPENSSL = '/usr/bin/openssl';

const NEEDS = [
  [NGINX, 'nginx-light'],
  [NCHAN_MODULE, 'libnginx-mod-nchan'],
  [NATS, 'nats-server'],
  [MOSQUITTO, 'mosquitto'],
  [REDIS, 'redis-server'],
  [PHP, 'php-cli'],
  [OPENSSL, 'openssl'],
];

function phpHasCurl() {
  return spawnSync(PHP, ['-r', 'exit(function_exists("curl_init") ? 0 : 1);']).status === 0;
}

/** Throws an error that says which Debian packages are to be installed. */
export function checkNeeds() {
  const missing = NEEDS.filter(([path]) => !existsSync(path));
  if (existsSync(PHP) && !phpHasCurl()) missing.push(['PHP extension curl', 'php-curl']);
  if (missing.length === 0) return;
  const lines = missing.map(([path, name]) => `  ${path}: Debian package ${name}`);
  throw new Error(`missing:\n${lines.join('\n')}\ninstall with: apt-get install ${missing.map(([, name]) => name).join(' ')}`);
}

/** Versions of all peers, for the report. */
export function peerVersions() {
  const names = ['nginx-common', 'libnginx-mod-nchan', 'nats-server', 'mosquitto', 'redis-server', 'php-cli', 'libzmq5', 'libuv1', 'liburing2'];
  const result = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${Version}\n', ...names], { encoding: 'utf8' });
  return result.stdout.trim().split('\n').sort();
}
