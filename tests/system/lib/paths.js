'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const source = path.resolve(__dirname, '../../..');
const build = process.env.ESN_BUILD;
if (!build) {
  throw new Error('ESN_BUILD does not name the folder in which es-web-notify was built; tests/run sets it');
}

const programs = {
  fanout: path.join(build, 'fanout/esn-fanout'),
  event: path.join(build, 'fcgi-handlers/esn-event'),
  subscribe: path.join(build, 'fcgi-handlers/esn-subscribe'),
  outbox: path.join(build, 'outbox/esn-outbox'),
  esnctl: path.join(build, 'esnctl/esnctl'),
};

/** A program of the system; an error that names the Debian package when it is missing. */
function tool(name, debianPackage) {
  const folders = `${process.env.PATH}:/usr/sbin:/sbin`.split(':');
  const found = folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
  if (!found) {
    throw new Error(`${name} is missing: install the Debian package ${debianPackage}`);
  }
  return found;
}

/** A new folder for one stack. Short, because the path of a unix socket is. Kept when ESN_TEST_LOGS names a place. */
function newFolder(label) {
  const base = process.env.ESN_TEST_LOGS ?? os.tmpdir();
  const folder = fs.mkdtempSync(path.join(base, `${label}-`));
  fs.chmodSync(folder, 0o755); // some programs become another user
  return folder;
}

module.exports = { source, build, programs, tool, newFolder };
