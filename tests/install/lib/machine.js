'use strict';

// A Debian that boots (systemd-nspawn), without a network but its own loopback.

const assert = require('node:assert/strict');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { until, within } = require('../../system/lib/wait');

const SOURCE = path.join(__dirname, '..', '..', '..');
const BOOT_LIMIT_MS = 5 * 60_000;

/** A root that looks like `base` and keeps what is written to itself. */
function makeRoot(base, folder) {
  const root = path.join(folder, 'root');
  for (const name of ['upper', 'work', 'root']) {
    fs.mkdirSync(path.join(folder, name), { recursive: true });
  }
  const options = `lowerdir=${base},upperdir=${path.join(folder, 'upper')},workdir=${path.join(folder, 'work')}`;
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, root]).status === 0;
  if (!mounted) { // where the folder is itself an overlay
    execFileSync('cp', ['-a', '--reflink=auto', `${base}/.`, root]);
  }
  return { root, mounted };
}

/** Where the machines' control groups can be made: below ours (cgroups(7), version 2). */
function ownControlGroup() {
  const [, mount] = /^\S+ (\S+) cgroup2 /m.exec(fs.readFileSync('/proc/self/mounts', 'utf8')) ?? [];
  const [, group] = /^0::(.*)$/m.exec(fs.readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
  assert.ok(mount && group, 'no control groups of version 2, which systemd needs');
  return path.join(mount, group);
}

/** Takes away a control group that has no processes any more, and those below it. */
function removeControlGroup(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory())) {
    removeControlGroup(path.join(folder, entry.name));
  }
  fs.rmdirSync(folder);
}

class Machine {
  /** Boots a fresh one; `disabled`: units that it does not start. */
  static async boot(disabled = []) {
    const base = process.env.ESN_INSTALL_ROOT;
    if (!base) {
      throw new Error('ESN_INSTALL_ROOT names no root; tests/run install makes one');
    }
    const folder = fs.mkdtempSync(path.join(path.dirname(base), 'machine-'));
    const machine = new Machine(folder, makeRoot(base, folder));
    execFileSync('systemctl', ['--quiet', `--root=${machine.root}`, 'disable', ...disabled], { stdio: 'ignore' });
    machine.start();
    await machine.isUp();
    return machine;
  }

  constructor(folder, { root, mounted }) {
    Object.assign(this, { folder, root, mounted });
  }

  start() {
    const console = fs.openSync(path.join(process.env.ESN_TEST_LOGS ?? this.folder, 'console.log'), 'a');
    const options = ['--register=no', '--keep-unit', '--private-network', `--machine=${path.basename(this.folder)}`];
    // Two machines in one group would end each other's units, whose groups have the same names.
    this.group = path.join(ownControlGroup(), path.basename(this.folder));
    fs.mkdirSync(this.group, { recursive: true });
    const enter = 'echo $$ >"$1/cgroup.procs" && exec systemd-nspawn "${@:2}"';
    this.nspawn = spawn('bash', ['-c', enter, 'bash', this.group, '-D', this.root, '-b', ...options],
      { stdio: ['ignore', console, console] });
    fs.closeSync(console);
    this.ended = new Promise((resolve) => this.nspawn.once('close', resolve));
  }

  /** Its PID 1, as it is seen from here. */
  init() {
    const { pid } = this.nspawn;
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
  }

  async isUp() {
    await until('the machine is up', () => /^(running|degraded)$/.test(this.try('systemctl is-system-running').output),
      BOOT_LIMIT_MS);
    const failed = this.run('systemctl --failed --plain --no-legend');
    assert.equal(failed, '', `units that failed: ${failed}\n${this.try('journalctl --boot --no-pager --lines=50').output}`);
  }

  /** Arguments that run a command of bash as `user` inside, as in a shell that was logged in. */
  command(command, user = 'root') {
    const home = user === 'root' ? '/root' : `/home/${user}`;
    const sbin = user === 'root' ? '/usr/local/sbin:/usr/sbin:/sbin:' : '';
    const group = user === 'nobody' ? 'nogroup' : user;
    return ['nsenter', '-t', this.init(), '-m', '-u', '-i', '-n', '-p', '--', 'setpriv', `--reuid=${user}`,
      `--regid=${group}`, '--init-groups', 'env', '-i', `PATH=${sbin}/usr/local/bin:/usr/bin:/bin`, `HOME=${home}`,
      `USER=${user}`, 'LANG=C.UTF-8', 'bash', '-c', command];
  }

  /** {status, output}; output is what it said on both. */
  try(command, user) {
    const [program, ...words] = this.command(`exec 2>&1\n${command}`, user);
    const done = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 64 << 20 });
    return { status: done.status, output: done.stdout.trim() };
  }

  /** What it said; an error when it fails. */
  run(command, user) {
    const { status, output } = this.try(command, user);
    if (status !== 0) {
      throw new Error(`status ${status} of: ${command}\n${output.slice(-3000)}`);
    }
    return output;
  }

  /** Each line of a block as somebody types it who stops at the first failure. */
  follow(text, folder = '/home/keeper/es-web-notify') {
    return this.run(`set -eo pipefail\ncd ${folder}\n${text}`, 'keeper');
  }

  /** Runs beside us; {output()}. It ends with the machine at the latest. */
  beside(command, user) {
    const [program, ...words] = this.command(`exec 2>&1\n${command}`, user);
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.on('data', (data) => { output += data; });
    const ended = new Promise((resolve) => child.once('close', resolve));
    return { output: () => output, ended };
  }

  read(file) {
    return fs.readFileSync(path.join(this.root, file), 'utf8');
  }

  write(file, text) {
    fs.writeFileSync(path.join(this.root, file), text);
  }

  /** Changes a file; an error when there is nothing to change. */
  edit(file, pattern, replacement) {
    const before = this.read(file);
    const after = before.replace(pattern, replacement);
    if (after === before) {
      throw new Error(`${file} has no ${pattern}`);
    }
    this.write(file, after);
  }

  /** The sources in the keeper's home, without what git does not know. */
  bringSources() {
    const list = 'git -C "$1" ls-files -z --cached --others --exclude-standard 2>/dev/null || (cd "$1" && find . -type f -print0)';
    const copy = `mkdir -p "$2" && (cd "$1" && tar --null -T <(${list} | while IFS= read -rd '' f; do [[ -e $1/$f ]] && printf '%s\\0' "$f"; done) -c) | tar -x -C "$2"`;
    execFileSync('bash', ['-c', copy, 'bash', SOURCE, path.join(this.root, 'home/keeper/es-web-notify')]);
    this.run('chown -R keeper:keeper /home/keeper');
  }

  /** Brings the Debian packages into the keeper's home. */
  bringPackages() {
    const packages = process.env.ESN_PACKAGES;
    for (const file of fs.readdirSync(packages).filter((name) => name.endsWith('.deb'))) {
      fs.copyFileSync(path.join(packages, file), path.join(this.root, 'home/keeper', file));
    }
  }

  async reboot() {
    this.try('systemctl reboot');
    await within('the machine to end', this.ended, BOOT_LIMIT_MS); // --keep-unit leaves the new start to us
    this.start();
    await this.isUp();
  }

  async stop() {
    // nspawn itself would leave the machine behind.
    if (this.nspawn.exitCode === null && this.nspawn.signalCode === null) {
      process.kill(Number(this.init()), 'SIGKILL');
    }
    await this.ended;
    await until('its control group is empty', () => !/populated 1/.test(fs.readFileSync(`${this.group}/cgroup.events`, 'utf8')));
    removeControlGroup(this.group);
    if (this.mounted) {
      await until('the root is free', () => spawnSync('umount', [this.root]).status === 0);
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Machine };
