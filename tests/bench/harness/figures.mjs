// Raw figures: one record for each measurement of each round, kept as CSV, one file for each scenario.
import { appendFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './statistics.mjs';

const COLUMNS = ['round', 'server', 'subscribers', 'events', 'window', 'topics', 'clients', 'added',
  'cpu_us', 'connect_cpu_us', 'connect_wall_us', 'pss_kib', 'slab_kib', 'rate', 'posts', 'bytes',
  'p50_us', 'p99_us', 'max_us', 'quiet_ms', 'opening_ms', 'closing_ms', 'open_wall_ms', 'close_wall_ms'];

export class Figures {
  #folder;
  #records = [];

  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  add(scenario, record) {
    const unknown = Object.keys(record).find((key) => !COLUMNS.includes(key));
    if (unknown) throw new Error(`no column for ${unknown}`);
    const free = ['cpu_us', 'connect_cpu_us'].find((column) => record[column] <= 0);
    if (free) throw new Error(`${record.server}: ${free} is ${record[free]}: the processes that were counted did not do the work`);
    const path = join(this.#folder, `${scenario}.csv`);
    if (!this.#records.some((kept) => kept.scenario === scenario)) writeFileSync(path, `${COLUMNS.join(',')}\n`);
    appendFileSync(path, `${COLUMNS.map((column) => record[column] ?? '').join(',')}\n`);
    this.#records.push({ scenario, ...record });
  }

  /** Reads figures that an earlier run has kept. */
  static load(folder) {
    const figures = new Figures(folder);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.csv') && !name.startsWith('raw-'))) {
      const [head, ...lines] = readFileSync(join(folder, file), 'utf8').trim().split('\n');
      const columns = head.split(',');
      for (const line of lines) {
        const record = { scenario: file.slice(0, -4) };
        line.split(',').forEach((text, i) => {
          if (text !== '') record[columns[i]] = columns[i] === 'server' ? text : Number(text);
        });
        figures.#records.push(record);
      }
    }
    return figures;
  }

  /** How many rounds are complete in every scenario. */
  get rounds() {
    const last = new Map();
    for (const { scenario, round } of this.#records) last.set(scenario, Math.max(last.get(scenario) ?? 0, round));
    return Math.min(...last.values());
  }

  select(match) {
    return this.#records.filter((record) => Object.entries(match).every(([key, value]) => record[key] === value));
  }

  values(match, column) {
    return this.select(match).map((record) => record[column]).filter(Number.isFinite);
  }

  median(match, column) {
    return median(this.values(match, column));
  }

  /** Median of the ratios of two servers, each ratio from one round, in which they ran one after the other. */
  ratio(match, server, base, column, baseMatch = match) {
    const other = new Map(this.select({ ...baseMatch, server: base }).map((record) => [record.round, record[column]]));
    return median(this.select({ ...match, server }).map((record) => record[column] / other.get(record.round)));
  }
}
