// The tables, as text for a terminal and as Markdown.
import { COLUMNS, ROWS, TLS_COLUMNS, TLS_ROWS, TRANSPORT_COLUMNS, TRANSPORT_ROWS, barsOf, cellsOf } from './rows.mjs';

const SHORT = {
  floor: 'floor', 'floor-batch': 'floor-uring', notify: 'this', 'notify-headers': 'headers', 'notify-web': 'web', 'notify-web-kept': 'web-kept', empty: 'empty',
  'nchan-websocket': 'nchan-ws', 'nchan-chunked': 'nchan-ch', 'nchan-sse': 'nchan-sse', nats: 'NATS', mosquitto: 'Mosquitto', redis: 'Redis',
};

/** Rows and columns for which there is any figure. */
function measured(rows, columns, figures) {
  const kept = rows.map((row) => ({ row, cells: cellsOf(row, columns, figures) })).filter(({ cells }) => cells.some((cell) => cell));
  const used = columns.map((_, i) => i).filter((i) => kept.some(({ cells }) => cells[i]));
  return { columns: used.map((i) => columns[i]), rows: kept.map(({ row, cells }) => ({ row, cells: used.map((i) => cells[i]) })) };
}

const verdict = (bar) => `${bar.met ? 'met' : 'MISSED'}: ${bar.text}`;

function textTable({ columns, rows }, figures) {
  const lines = [['', ...columns.map(({ name, label }) => SHORT[name] ?? label), 'bar']];
  for (const { row, cells } of rows) {
    const bars = barsOf(row, figures).map(verdict);
    lines.push([row.what, ...cells, bars[0] ?? '']);
    for (const bar of bars.slice(1)) lines.push(['', ...cells.map(() => ''), bar]);
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const last = widths.length - 1;
  return lines.map((line) => line.map((cell, i) => (i === 0 || i === last ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd());
}

export function printTable(figures, machine) {
  const all = measured(ROWS, COLUMNS, figures);
  const transports = measured(TRANSPORT_ROWS, TRANSPORT_COLUMNS, figures);
  const head = `${machine.date}, ${machine.processors}, ${machine.kernel}; medians of ${figures.rounds} rounds, server's processor time${machine.quick ? '; QUICK: not for quoting' : ''}`;
  const tls = measured(TLS_ROWS, TLS_COLUMNS, figures);
  const lines = [head, ...(all.columns.length > 0 ? textTable(all, figures) : [])];
  if (transports.columns.length > 1) lines.push('', 'by transport', ...textTable(transports, figures));
  if (tls.columns.length > 0) lines.push('', 'over TLS', ...textTable(tls, figures));
  return `${lines.join('\n')}\n`;
}

/** Servers as rows would be too wide for a page: what is measured stands in rows, servers in columns, bars apart. */
function markdown({ columns, rows }) {
  return [
    `| | ${columns.map(({ label }) => label).join(' | ')} |`,
    `|---|${columns.map(() => '---').join('|')}|`,
    ...rows.map(({ row, cells }) => `| ${row.what} | ${cells.join(' | ')} |`),
  ].join('\n');
}

export const markdownTable = (figures) => markdown(measured(ROWS, COLUMNS, figures));
export const markdownTransports = (figures) => markdown(measured(TRANSPORT_ROWS, TRANSPORT_COLUMNS, figures));
export const markdownTls = (figures) => markdown(measured(TLS_ROWS, TLS_COLUMNS, figures));

export function markdownBars(figures) {
  const rows = [[ROWS, COLUMNS], [TRANSPORT_ROWS, TRANSPORT_COLUMNS], [TLS_ROWS, TLS_COLUMNS]]
    .flatMap(([each, columns]) => measured(each, columns, figures).rows);
  const lines = rows.flatMap(({ row }) => barsOf(row, figures).map((bar) => (
    `| ${row.what} | ${Number(bar.value.toFixed(2))} ${bar.what} | ${bar.sign === '<=' ? 'at most' : 'at least'} ${bar.limit} | ${bar.met ? 'met' : '**missed**'} |`)));
  return ['| what | measured | aim | |', '|---|---|---|---|', ...lines].join('\n');
}
