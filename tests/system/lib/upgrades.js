'use strict';

// A daemon whose program is replaced while it serves: what was started by a test is then another process, not its child.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { programs } = require('./paths');
const { Logged, run } = require('./program');
const { request } = require('./http');
const { Stack } = require('./stack');
const { until } = require('./wait');

const successors = new Set();
process.on('exit', () => {
  for (const { pid } of successors) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
});

/** One that has ended and that nobody has waited for yet counts as ended. */
function isRunning(pid) {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The program that took over, with the methods of Program that a Stack needs. */
class Successor extends Logged {
  name = 'esn-fanout (successor)';

  constructor(pid, log) {
    super();
    this.pid = pid;
    this.log = log;
    successors.add(this);
  }

  get isRunning() {
    return isRunning(this.pid);
  }

  signal(name) {
    process.kill(this.pid, name);
  }

  /** Its exit code is not known to who did not start it: that it says that it stopped. */
  async end(signal = 'SIGTERM') {
    if (this.isRunning) {
      this.signal(signal);
    }
    await until(`${this.pid} ends after ${signal}`, () => !this.isRunning);
    successors.delete(this);
    return signal === 'SIGKILL' || /stopped[^\n]*\n?$/.test(this.output().trimEnd()) ? 0 : 'no word';
  }
}

/** Nothing here is decided by how long it takes. */
const PATIENCE = ({ fanout, publish } = {}) => ({
  fanout: {
    ...Object.fromEntries(['upgrade_time', 'upgrade_pause', 'poll_gap', 'keep_alive', 'header_time', 'body_time', 'idle_time', 'soft_time'].map((key) => [key, '5m'])),
    ...fanout,
  },
  publish: { time_limit: '1m', ...publish },
});

/** A stack whose daemon was started as `program`, a file in its folder that a test may replace. */
class Upgradable extends Stack {
  /** The options of Stack; prepare(stack) is called before anything is started. */
  static async start(label, { prepare = () => {}, ...options } = {}) {
    const stack = new Upgradable(label, { ...options, config: { ...options.config, ...PATIENCE(options.config) } });
    stack.program = path.join(stack.folder, 'esn-fanout');
    fs.symlinkSync(programs.fanout, stack.program);
    stack.options.wrapper = [...stack.options.wrapper, '/bin/sh', '-c', `shift; exec ${stack.program} "$@"`, 'sh'];
    await prepare(stack);
    await stack.start();
    stack.operatorsFile = `${stack.file}.good`; // esnctl shall find the daemon whatever the daemon is to read
    fs.copyFileSync(stack.file, stack.operatorsFile);
    return stack;
  }

  /** Puts a script in the place of the program; null: nothing; undefined: the program itself. */
  replaceProgram(script) {
    fs.rmSync(this.program, { force: true });
    if (script === undefined) {
      fs.symlinkSync(programs.fanout, this.program);
    } else if (script !== null) {
      fs.writeFileSync(this.program, script, { mode: 0o755 });
    }
  }

  /** Has the daemon take other settings. */
  async reconfigure(changes) {
    const reloads = () => this.daemon.output().split('configuration reloaded').length;
    const before = reloads();
    this.writeConfig(changes);
    this.daemon.signal('SIGHUP');
    await until('the configuration is reloaded', () => reloads() > before);
  }

  /** What became of the last upgrade; undefined while one program hands over to the next. */
  async outcome() {
    const answer = await request('http://localhost/upgrade', {
      agent: false,
      socketPath: this.socketPath,
      headers: { Authorization: `Bearer ${this.adminToken}` },
    });
    return answer.status === 200 ? answer.json : undefined;
  }

  esnctl(...words) {
    return run([programs.esnctl, 'upgrade', '--config', this.operatorsFile, ...words]);
  }

  /** Another process is the daemon from here on. */
  adopt(pid) {
    successors.delete(this.daemon);
    this.daemon = new Successor(pid, this.daemon.log);
  }

  /** Upgrades by `esnctl upgrade`, which has to succeed. The old program may still be there: `hasEnded` resolves when it has ended, with 0. */
  async handOver() {
    const old = this.daemon;
    const { code, stdout, stderr } = await this.esnctl('--json');
    assert.equal(code, 0, `${stderr}\n${old.output()}`);
    const outcome = JSON.parse(stdout);
    assert.notEqual(outcome.pid, old.pid);
    this.adopt(outcome.pid);
    const hasEnded = async () => {
      if (old.ended) {
        assert.equal(await old.ended, 0);
      } else {
        await until(`${old.pid} has ended`, () => !old.isRunning);
        successors.delete(old);
      }
    };
    return { outcome, old, hasEnded: hasEnded() };
  }

  async upgrade() {
    const { outcome, hasEnded } = await this.handOver();
    await hasEnded;
    return outcome;
  }

  /** An upgrade that has to fail; gives the reason, which log and answer say alike. */
  async failUpgrade() {
    const { code, stdout, stderr } = await this.esnctl();
    assert.equal(code, 1, stdout);
    const [, reason] = /^esnctl: (.*); the old program serves on\n$/.exec(stderr) ?? assert.fail(stderr);
    await this.daemon.untilLog(/upgrade failed, this program serves on/);
    assert.equal(this.daemon.isRunning, true);
    return reason;
  }
}

module.exports = { Upgradable, isRunning };
