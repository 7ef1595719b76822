// The programs that are measured and the tools that measure them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}`);
}

function configure(source, dir) {
  if (!existsSync(join(source, 'configure'))) run('autoreconf', ['-fi'], source);
  mkdirSync(dir, { recursive: true });
  run(join(source, 'configure'), ['--disable-tests'], dir);
}

/** Builds what is missing; returns the paths of all programs. */
export function buildPrograms(source, { build, state }) {
  const dir = build ?? (existsSync(join(source, 'Makefile')) ? source : join(state, 'build'));
  if (!existsSync(join(dir, 'Makefile'))) configure(source, dir);
  if (/^ESN_CFLAGS = .*-fsanitize/m.test(readFileSync(join(dir, 'Makefile'), 'utf8')))
    throw new Error(`${dir} is configured with sanitizers: their cost would be measured; give another --build`);
  run('make', ['-s', '-j2', 'all', 'bench-tools'], dir);
  const tool = (name) => join(dir, 'tests/bench/tools', name);
  return {
    fanout: join(dir, 'fanout/esn-fanout'),
    event: join(dir, 'fcgi-handlers/esn-event'),
    floor: tool('floor'),
    fanoutLoad: tool('fanout_load'),
    holdStreams: tool('hold_streams'),
    postLoad: tool('post_load'),
    emptyAnswer: tool('empty_answer'),
    busPublish: tool('bus_publish'),
    postEvents: join(source, 'tests/bench/tools/post_events.php'),
  };
}
