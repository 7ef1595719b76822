// On what the figures were taken.
import { cpus, loadavg, release, totalmem } from 'node:os';
import { peerVersions } from './needs.mjs';

export function describeMachine({ rounds, quick }) {
  return {
    date: new Date().toISOString().slice(0, 10),
    processors: `${cpus().length} x ${cpus()[0].model.trim()}`,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: `Linux ${release()}`,
    load_before: loadavg()[0],
    packages: peerVersions(),
    rounds,
    quick,
  };
}
