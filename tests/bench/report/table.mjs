// The one table, as text for a terminal and as Markdown.
import { COLUMNS, ROWS, barsOf, cellsOf } from './rows.mjs';

const SHORT = {
  floor: 'floor', notify: 'this', 'notify-headers': 'headers', 'notify-web': 'web', empty: 'empty', 'nchan-websocket': 'nchan-ws',
  'nchan-chunked': 'nchan-ch', 'nchan-sse': 'nchan-sse', nats: 'NATS', mosquitto: 'Mosquitto', redis: 'Redis',
};

function measuredRows(figures) {
  return ROWS.map((row) => ({ row, cells: cellsOf(row, figures) })).filter(({ cells }) => cells.some((cell) => cell));
}

const verdict = (bar) => `${bar.met ? 'met' : 'MISSED'}: ${bar.text}`;

export function printTable(figures, machine) {
  const rows = measuredRows(figures);
  const used = COLUMNS.map((_, i) => i).filter((i) => rows.some(({ cells }) => cells[i]));
  const lines = [['', ...used.map((i) => SHORT[COLUMNS[i].name]), 'bar']];
  for (const { row, cells } of rows) {
    const bars = barsOf(row, figures).map(verdict);
    lines.push([row.what, ...used.map((i) => cells[i]), bars[0] ?? '']);
    for (const bar of bars.slice(1)) lines.push(['', ...used.map(() => ''), bar]);
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const last = widths.length - 1;
  const text = lines.map((line) => line.map((cell, i) => (i === 0 || i === last ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd());
  const head = `${machine.date}, ${machine.processors}, ${machine.kernel}; medians of ${figures.rounds} rounds, server's processor time${machine.quick ? '; QUICK: not for quoting' : ''}`;
  return `${head}\n${text.join('\n')}\n`;
}

/** Servers as rows would be too wide for a page: what is measured stands in rows, servers in columns, bars apart. */
export function markdownTable(figures) {
  const rows = measuredRows(figures);
  const used = COLUMNS.map((_, i) => i).filter((i) => rows.some(({ cells }) => cells[i]));
  return [
    `| | ${used.map((i) => COLUMNS[i].label).join(' | ')} |`,
    `|---|${used.map(() => '---').join('|')}|`,
    ...rows.map(({ row, cells }) => `| ${row.what} | ${used.map((i) => cells[i]).join(' | ')} |`),
  ].join('\n');
}

export function markdownBars(figures) {
  const lines = measuredRows(figures).flatMap(({ row }) => barsOf(row, figures).map((bar) => (
    `| ${row.what} | ${Number(bar.value.toFixed(2))} ${bar.what} | ${bar.sign === '<=' ? 'at most' : 'at least'} ${bar.limit} | ${bar.met ? 'met' : '**missed**'} |`)));
  return ['| what | measured | aim | |', '|---|---|---|---|', ...lines].join('\n');
}
