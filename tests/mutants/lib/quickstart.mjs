// What the integration tests of the PHP package need: deploy/quickstart, on a port of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const { freePort } = createRequire(import.meta.url)('../../system/lib/ports.js');

/** {env, stop()}: what its file `env` says. */
export async function startQuickstart(source, dir) {
  const state = path.join(dir, 'quickstart');
  const file = path.join(state, 'env');
  const log = fs.openSync(path.join(dir, 'logs', 'quickstart.log'), 'w');
  fs.rmSync(file, { force: true });
  const child = spawn(path.join(source, 'deploy/quickstart'), ['--no-install', '--dir', state, '--port', String(await freePort())], { stdio: ['ignore', log, log] });
  while (!fs.existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`deploy/quickstart ended: ${path.join(dir, 'logs/quickstart.log')}`);
    await pause(200);
  }
  const lines = fs.readFileSync(file, 'utf8').matchAll(/^(\w+)=(.*)$/gm);
  const env = Object.fromEntries([...lines].map(([, name, value]) => [name, value.replace(/^(['"])(.*)\1$/, '$2')]));
  return { env, async stop() {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  } };
}
