'use strict';

// What deploy/quickstart says when it is called in a wrong way: before anything is installed, made or started. And where it has
// the daemon listen.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { newFolder, source } = require('./lib/paths');
const { run } = require('./lib/program');

describe('deploy/quickstart, called in a wrong way', () => {
  for (const [words, said] of [
    [['--web', 'iis'], '--web: nginx or apache, not: iis'],
    [['--acl', 'oracle'], '--acl: sqlite or mariadb, not: oracle'],
    [['--handoff', 'carrier'], '--handoff: accel, local or redirect, not: carrier'],
    [['--handoff', 'local'], '--handoff local: nginx cannot redirect a request inside itself; accel is its way'],
    [['--web', 'apache', '--handoff', 'accel'], "--handoff accel: only nginx knows X-Accel-Redirect; local is Apache's way"],
    [['--port', '99999'], '--port: not a port: 99999'],
    [['--port=http'], '--port: not a port: http'],
    [['--binding', ''], '--binding needs a value'],
    [['--dir'], '--dir needs a value'],
    [['--dir', '--redis'], '--dir needs a value'],
    [['--dirr', 'x'], 'unknown option: --dirr'],
    [['--redis', 'localhost'], '--redis: redis://host:port/database or unix:/path, not: localhost'],
    [['--nodes', '17'], '--nodes: 1 to 16, not: 17'],
    [['--nodes=three'], '--nodes: 1 to 16, not: three'],
    [['--nodes'], '--nodes needs a value'],
    [['--web', 'apache', '--nodes', '2'], '--nodes: with nginx and its hand-off alone (docs/nodes.md has other ways)'],
    [['--handoff', 'redirect', '--nodes', '2'], '--nodes: with nginx and its hand-off alone (docs/nodes.md has other ways)'],
    [['here'], 'unknown option: here'],
  ]) {
    test(`"${words.join(' ')}": ${said}`, async () => {
      const folder = newFolder('quickstart-words');
      const ended = await run([path.join(source, 'deploy/quickstart'), '--no-install', ...words], { cwd: folder, env: { XDG_STATE_HOME: folder } });
      assert.equal(ended.stderr, `quickstart: ${said}\nTry: deploy/quickstart --help\n`);
      assert.equal(ended.code, 2);
      assert.deepEqual(fs.readdirSync(folder), []);
    });
  }
});

describe('the port of the daemon', () => {
  const folder = newFolder('quickstart-ports');
  const chosen = async (port) => {
    const script = `cd '${source}/deploy/lib' && . ./folders.sh && . ./settings.sh && choose_fanout_ports && echo $fanout_port $fanout_tls_port`;
    const ended = await run(['bash', '-c', script], { env: { port: String(port), tls: 'yes', conf: path.join(folder, 'none') } });
    return ended.stdout.trim().split(' ').map(Number);
  };

  test('is none that Linux gives to outgoing connections, nor that of the web server', async () => {
    const [outgoing] = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
    for (const port of [80, 8080, outgoing - 10_002, outgoing - 10_001, outgoing, 65_535]) {
      for (const one of await chosen(port)) {
        assert.ok(one > 1023 && one < outgoing && one !== port, `${port}: ${one}`);
      }
    }
  });
});
