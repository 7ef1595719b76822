import { parseArgs } from 'node:util';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export const SCENARIOS = ['fanout', 'streams', 'topics', 'publish', 'batches', 'latency', 'burst', 'tls'];

const HELP = `usage: tests/bench/run [options]
Measures es-web-notify beside a floor, nchan, NATS, Mosquitto and Redis, in turns, and prints one table.

  --rounds N      how often each measurement is taken, in turns (default 5)
  --quick         one small round, to see that everything works; not for quoting
  --only A,B      some of: ${SCENARIOS.join(', ')}
  --servers A,B   only servers whose names begin so
  --build DIR     a configured build tree (default: the source tree's own, else one in the state folder)
  --out DIR       where figures and pictures go (default: a folder in the state folder, named at the end)
  --report DIR    measure nothing; table and pictures from figures that are there
  --docs          also fill the figures of docs/performance.md and write docs/pictures/performance-*.svg
  --help
`;

export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' }, quick: { type: 'boolean' }, only: { type: 'string' }, servers: { type: 'string' },
      build: { type: 'string' }, out: { type: 'string' }, report: { type: 'string' }, docs: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return null;
  }
  const state = join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local/state'), 'es-web-notify/bench');
  const only = values.only?.split(',') ?? SCENARIOS;
  const unknown = only.find((name) => !SCENARIOS.includes(name));
  if (unknown) throw new Error(`--only ${unknown}: there are ${SCENARIOS.join(', ')}`);
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds wants a number above 0');
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  return {
    rounds, only, state,
    quick: values.quick ?? false,
    servers: values.servers?.split(','),
    build: values.build && resolve(values.build),
    out: resolve(values.report ?? values.out ?? join(state, stamp)),
    report: values.report !== undefined,
    docs: values.docs ?? false,
  };
}
