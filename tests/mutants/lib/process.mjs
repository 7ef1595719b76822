// Runs commands with a limit; what is over the limit is ended with all that it has started.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** {ok, milliseconds, over}: whether it ended with 0, how long it took, whether the limit ended it. */
export function run(command, args, { cwd, env = {}, log, limit = 600_000 }) {
  const output = log ? fs.openSync(log, 'w') : 'ignore';
  const started = Date.now();
  const child = spawn(command, args, { cwd, env: { ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1', ...process.env, ...env }, stdio: ['ignore', output, output], detached: true });
  if (log) fs.closeSync(output);
  let over = false;
  const timer = setTimeout(() => {
    over = true;
    end(child.pid);
  }, limit);
  return new Promise((resolve) => {
    const done = (ok) => {
      clearTimeout(timer);
      end(child.pid); // what it left behind
      resolve({ ok: ok && !over, milliseconds: Date.now() - started, over });
    };
    child.once('error', () => done(false));
    child.once('close', (code) => done(code === 0));
  });
}

function end(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
