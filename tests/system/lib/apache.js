'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Program } = require('./program');
const { request } = require('./http');
const { tool } = require('./paths');

const MODULE_FOLDER = '/usr/lib/apache2/modules';
const MODULES = {
  mpm_event: 'apache2-bin',
  authz_core: 'apache2-bin',
  alias: 'apache2-bin',
  env: 'apache2-bin',
  headers: 'apache2-bin',
  proxy: 'apache2-bin',
  proxy_http: 'apache2-bin',
  proxy_fcgi: 'apache2-bin',
  rewrite: 'apache2-bin',
  filter: 'apache2-bin',
  deflate: 'apache2-bin',
  brotli: 'apache2-bin',
  setenvif: 'apache2-bin',
  cgid: 'apache2-bin',
  fcgid: 'libapache2-mod-fcgid',
};

/** What the access log of a site with the broker has: its format, and not the broker's requests. */
const LOGGED = 'combined env=!es-web-notify';

function loadModules() {
  return Object.entries(MODULES)
    .map(([name, debianPackage]) => {
      const file = path.join(MODULE_FOLDER, `mod_${name}.so`);
      if (!fs.existsSync(file)) {
        throw new Error(`${file} is missing: install the Debian package ${debianPackage}`);
      }
      return `LoadModule ${name}_module ${file}`;
    })
    .join('\n');
}

/** Apache started by root would give its work to another user, who may not enter the test's folder. */
function asOrdinaryUser() {
  return process.getuid() === 0 ? [tool('unshare', 'util-linux'), '--user', '--map-user=1000', '--map-group=1000'] : [];
}

/**
 * Starts Apache in the foreground with the given directives in its only virtual host. `adapt(text)`: what its whole
 * configuration is to be.
 */
async function startApache(folder, port, directives, adapt = (text) => text) {
  const own = path.join(folder, 'apache');
  const root = path.join(own, 'htdocs');
  fs.mkdirSync(root, { recursive: true });
  fs.writeFileSync(path.join(root, 'page.html'), '<!doctype html><title>page</title>');
  const file = path.join(own, 'apache.conf');
  fs.writeFileSync(
    file,
    adapt(`ServerRoot ${own}
ServerName localhost
PidFile ${own}/pid
DefaultRuntimeDir ${own}
ErrorLog ${own}/error.log
LogLevel warn
Listen 127.0.0.1:${port}
${loadModules()}
FcgidIPCDir ${own}
FcgidProcessTableFile ${own}/fcgid_shm
ThreadsPerChild 64
ThreadLimit 64
ServerLimit 8
MaxRequestWorkers 512
MaxSpareThreads 512
<VirtualHost *:${port}>
DocumentRoot ${root}
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined
CustomLog ${own}/access.log ${LOGGED}
<Files page.html>
ForceType text/html
</Files>
# As Debian's own site does, and with what is newer.
AddOutputFilterByType BROTLI_COMPRESS;DEFLATE text/html text/plain text/event-stream application/json
${directives}
</VirtualHost>
`),
  );
  const apache = new Program('apache', [...asOrdinaryUser(), tool('apache2', 'apache2-bin'), '-D', 'FOREGROUND', '-f', file], {
    log: path.join(folder, 'apache.log'),
  });
  /** Lines of its log that tell of what it could not go on with: a process that ends with all that it holds. */
  apache.faults = () => {
    const lines = fs.readFileSync(path.join(own, 'error.log'), 'utf8').split('\n');
    return lines.filter((line) => /:(emerg|alert|crit)\]/.test(line));
  };
  await apache.until('apache answers', () => request(`http://127.0.0.1:${port}/`, { agent: false }));
  return apache;
}

module.exports = { LOGGED, startApache };
