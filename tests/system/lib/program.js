'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { until, within } = require('./wait');

const running = new Set();

function childrenOf(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  return fs.readFileSync(file, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
}

/** What a program has written to its log file. */
class Logged {
  output() {
    return fs.readFileSync(this.log, 'utf8');
  }

  untilLog(pattern) {
    return until(`${this.name} logs ${pattern}`, () => this.output().match(pattern));
  }
}

/** A program under test: its output goes to a log file, it is ended by its process id. */
class Program extends Logged {
  #child;

  constructor(name, command, { log, env, cwd, stdin = 'ignore' }) {
    super();
    this.name = name;
    this.command = command;
    this.log = log;
    const output = fs.openSync(log, 'a');
    this.#child = spawn(command[0], command.slice(1), {
      stdio: [stdin, output, output],
      env: { ...process.env, ...env },
      cwd,
    });
    fs.closeSync(output);
    this.pid = this.#child.pid;
    this.code = undefined; // exit code, or the signal's name
    running.add(this);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', (error) => {
        running.delete(this);
        reject(new Error(`${name} could not be started: ${error.message}`));
      });
      this.#child.once('exit', (code, signal) => {
        running.delete(this);
        this.code = signal ?? code;
        resolve(this.code);
      });
    });
    this.ended.catch(() => {});
  }

  get isRunning() {
    return this.code === undefined && this.pid !== undefined;
  }

  get stdin() {
    return this.#child.stdin;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Waits until condition() is true; an error at once when the program ends meanwhile. */
  until(what, condition, limit) {
    const state = {};
    return Promise.race([
      until(what, async () => state.over || (await condition()), limit),
      this.ended.finally(() => (state.over = true)).then((code) => {
        throw new Error(`${this.name} ended with ${code} before ${what}:\n${this.output()}`);
      }),
    ]);
  }

  /** Ends it and returns its exit code or the signal that killed it. */
  async end(signal = 'SIGTERM') {
    if (this.isRunning) {
      this.signal(signal);
    }
    return within(`the end of ${this.name} after ${signal}`, this.ended);
  }

  /** Process ids of its children, from /proc. */
  children() {
    return childrenOf(this.pid);
  }
}

function killLeftOvers() {
  for (const program of running) {
    try {
      process.kill(program.pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}

process.on('exit', killLeftOvers);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

/** Runs a program to its end. */
async function run(command, { input, env, cwd } = {}) {
  const child = spawn(command[0], command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    cwd,
  });
  const entry = { pid: child.pid };
  running.add(entry);
  const output = { stdout: [], stderr: [] };
  child.stdout.on('data', (chunk) => output.stdout.push(chunk));
  child.stderr.on('data', (chunk) => output.stderr.push(chunk));
  child.stdin.on('error', () => {}); // it may end without reading everything
  child.stdin.end(input);
  const code = await within(
    `the end of ${command.join(' ')}`,
    new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => resolve(signal ?? exitCode));
    }),
  );
  running.delete(entry);
  return {
    code,
    stdoutBytes: Buffer.concat(output.stdout),
    stdout: Buffer.concat(output.stdout).toString(),
    stderr: Buffer.concat(output.stderr).toString(),
  };
}

module.exports = { Logged, Program, childrenOf, run };
