// Starts and ends the servers. Whatever was started here is ended here, by its process id, however the run ends.
import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync, readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const START_LIMIT_MS = 10_000;
const END_LIMIT_MS = 5_000;
const running = new Set();

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a server that stays in the foreground; what it says goes to DIR/NAME.log. */
export function startServer(dir, name, command, args, options = {}) {
  const logPath = join(dir, `${name}.log`);
  const log = openSync(logPath, 'a');
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', log, log], ...options });
  closeSync(log);
  const server = { name, child, logPath, ended: null };
  server.exit = new Promise((resolve) => {
    const end = (how) => {
      server.ended = how;
      running.delete(server);
      resolve();
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(signal ?? `exit status ${code}`));
  });
  running.add(server);
  return server;
}

function failed(server, what) {
  const log = readFileSync(server.logPath, 'utf8').trim().split('\n').slice(-8).join('\n');
  return new Error(`${server.name}: ${what}${log ? `\n${log}` : ''}`);
}

function accepts(where) {
  return new Promise((resolve) => {
    const socket = connect(where);
    socket.on('connect', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}

/** Waits until the server accepts connections, on a port or the path of a unix socket, and has all its workers. The kernel
 * accepts before a server has forked, and workers that pidsOf() does not see would cost nothing. */
export async function waitForServer(server, where, workers = 0) {
  const target = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : { path: where };
  const limit = Date.now() + START_LIMIT_MS;
  while (!(await accepts(target)) || childrenOf(server.child.pid).length < workers) {
    if (server.ended) throw failed(server, `ended (${server.ended})`);
    if (Date.now() > limit) throw failed(server, `does not accept connections with ${workers} workers`);
    await pause(20);
  }
}

export async function endServer(server) {
  if (server.ended) return;
  server.child.kill('SIGTERM');
  const timer = setTimeout(() => server.child.kill('SIGKILL'), END_LIMIT_MS);
  await server.exit;
  clearTimeout(timer);
}

export async function endAllServers() {
  await Promise.all([...running].map(endServer));
}

function childrenOf(pid) {
  const found = [];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
      if (text) found.push(...text.split(' ').map(Number));
    }
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error; // it has ended: nothing is its child
  }
  return found;
}

/** Process ids of servers and all their descendants. */
export function pidsOf(...servers) {
  const pids = servers.map((server) => server.child.pid);
  for (let i = 0; i < pids.length; i++) pids.push(...childrenOf(pids[i]));
  return pids;
}
