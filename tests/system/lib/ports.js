'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

// Below what Linux hands out to outgoing connections, so that no client ever sits on a port meant for a server. The ten
// thousand above them are left to the daemons of deploy/quickstart, which listen so far above the web server.
const FIRST = 12_000;
const LAST = 21_999;

const folder = path.join(os.tmpdir(), `esn-test-ports-${process.getuid()}`);
const held = new Set();

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Test files run beside each other: a port belongs to the process whose id is in the port's file. */
function claim(port) {
  const file = path.join(folder, String(port));
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
    const owner = Number(fs.readFileSync(file, 'utf8'));
    if (owner > 0 && !isAlive(owner)) {
      fs.rmSync(file, { force: true });
    }
    return false;
  }
  held.add(file);
  return true;
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A TCP port that is free and stays this process's until it ends. */
async function freePort() {
  fs.mkdirSync(folder, { recursive: true });
  for (let tries = 0; tries < 1000; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (claim(port) && (await canListen(port))) {
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}

process.on('exit', () => {
  for (const file of held) {
    fs.rmSync(file, { force: true });
  }
});

module.exports = { freePort };
