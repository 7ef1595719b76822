// The pictures of docs/performance.md, from kept figures.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { histogram, lineChart } from './svg.mjs';
import { readAllLatencies } from '../scenarios/latency.mjs';
import { scenarios } from '../scenarios/index.mjs';
import { COLUMNS } from './rows.mjs';

/** Those of the large table: the other transports would hide behind frames. */
const serversOf = (name) => scenarios.find((scenario) => scenario.name === name).servers.filter(
  (server) => COLUMNS.some((column) => column.name === server.name));
const distinct = (values) => [...new Set(values)].sort((a, b) => a - b);

/** One line for each server of the scenario that has figures: medians of `column` over `over`. */
function seriesOf(figures, scenarioName, { match = {}, over, column, change = (value) => value }) {
  return serversOf(scenarioName).map(({ name, label }) => {
    const chosen = { scenario: scenarioName, server: name, ...match };
    const points = distinct(figures.values(chosen, over)).map((x) => [x, change(figures.median({ ...chosen, [over]: x }, column), name)]);
    return { name, label, points: points.filter(([, y]) => Number.isFinite(y)) };
  }).filter(({ points }) => points.length > 1);
}

function costPerDelivery(figures) {
  const large = (name) => figures.median({ scenario: 'streams', server: name, subscribers: 10000 }, 'cpu_us');
  const small = seriesOf(figures, 'fanout', { match: { window: 1 }, over: 'subscribers', column: 'cpu_us' });
  return small.map(({ name, label, points }) => {
    const cost = large(name);
    return { name, label, points: Number.isFinite(cost) ? [...points, [10000, cost]] : points };
  });
}

function memory(figures) {
  return seriesOf(figures, 'streams', {
    over: 'subscribers', column: 'pss_kib',
    change: (kib, name) => Math.max(0, kib - figures.median({ scenario: 'streams', server: name, subscribers: 0 }, 'pss_kib')) / 1024,
  });
}

function latencyHistogram(out) {
  const series = serversOf('latency').map(({ name, label }) => {
    const rounds = readdirSync(out).filter((file) => new RegExp(`^raw-latency-${name}-\\d+\\.csv$`).test(file)).length;
    return { name, label, values: rounds ? readAllLatencies(out, name, rounds).map((us) => us / 1000) : [] };
  }).filter(({ values }) => values.length > 0);
  return series.length && histogram({ title: 'From PHP to the subscriber, one event at a time', x: { label: 'milliseconds' }, series });
}

/** Writes what there are figures for; returns the paths. */
export function drawPictures(figures, out) {
  const chart = (title, x, y, series) => series.length && lineChart({ title, x, y, series });
  const pictures = {
    'performance-latency.svg': latencyHistogram(out),
    'performance-delivery.svg': chart('Processor time of one delivery, 1 event in flight',
      { label: 'subscribers', log: true }, { label: 'microseconds', log: true }, costPerDelivery(figures)),
    'performance-memory.svg': chart('Memory that held streams add', { label: 'streams' }, { label: 'MiB' }, memory(figures)),
    'performance-topics.svg': chart('An event to one receiver while others hold topics',
      { label: 'exact topics held by others (and a tenth as many patterns)' }, { label: 'microseconds', log: true },
      seriesOf(figures, 'topics', { over: 'topics', column: 'cpu_us' })),
  };
  const written = [];
  for (const [name, text] of Object.entries(pictures).filter(([, svg]) => svg)) {
    const path = join(out, name);
    writeFileSync(path, text);
    written.push(path);
  }
  return written;
}
