// Two kinds of charts as plain SVG: lines over two axes, and histograms. No library; colours follow the reader's theme.
const WIDTH = 780;
const HEIGHT = 420;
const PLOT = { left: 70, top: 46, right: 570, bottom: 356 };

// The same server has the same colour in every picture.
const COLOURS = {
  floor: '#8c959f', 'floor-batch': '#57606a', notify: '#d1242f', 'notify-headers': '#fa7970', 'notify-web': '#9e1c23', 'notify-web-kept': '#d4a72c', 'nchan-websocket': '#0969da',
  'nchan-chunked': '#54aeff', 'nchan-sse': '#0a3069', nats: '#1a7f37', mosquitto: '#8250df', redis: '#bf8700',
};

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .axis { stroke: #57606a; }
  .grid { stroke: #d0d7de; stroke-width: 0.7; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .grid { stroke: #30363d; } .axis { stroke: #8b949e; } }`;

const escape = (text) => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const round = (value) => Math.round(value * 100) / 100;

/** A number as one reads it aloud: 0.41, 5.2, 41, 100k. */
export function readable(value) {
  if (value === 0) return '0';
  if (value >= 1e6) return `${round(value / 1e6)}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

function linearTicks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high * 1.0001; tick += step) ticks.push(Number(tick.toPrecision(6)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  const dense = Math.log10(high / low) < 2.5;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const factor of dense ? [1, 2, 5] : [1]) ticks.push(Number((factor * 10 ** power).toPrecision(6)));
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

/** low, high: of the data. from, to: pixels. With log, a zero is drawn where `low` is. */
function makeAxis({ label, log = false, low, high }, from, to) {
  const measure = log ? Math.log10 : (value) => value;
  const span = measure(high) - measure(low) || 1;
  return {
    label,
    ticks: log ? logTicks(low, high) : linearTicks(low, high),
    place: (value) => round(from + ((measure(Math.max(value, low)) - measure(low)) / span) * (to - from)),
  };
}

function drawAxes(x, y) {
  const middle = (PLOT.left + PLOT.right) / 2;
  return [
    ...y.ticks.map((tick) => `<path class="grid" d="M${PLOT.left} ${y.place(tick)}H${PLOT.right}"/>`
      + `<text x="${PLOT.left - 8}" y="${y.place(tick) + 4}" text-anchor="end">${readable(tick)}</text>`),
    ...x.ticks.map((tick) => `<path class="axis" d="M${x.place(tick)} ${PLOT.bottom}v5"/>`
      + `<text x="${x.place(tick)}" y="${PLOT.bottom + 20}" text-anchor="middle">${readable(tick)}</text>`),
    `<path class="axis" fill="none" d="M${PLOT.left} ${PLOT.top}V${PLOT.bottom}H${PLOT.right}"/>`,
    `<text x="${middle}" y="${PLOT.bottom + 44}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text transform="translate(20 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
  ];
}

function drawLegend(series) {
  return series.map(({ name, label }, i) => {
    const y = PLOT.top + 12 + i * 22;
    return `<rect x="${PLOT.right + 20}" y="${y - 9}" width="12" height="12" rx="2" fill="${COLOURS[name]}"/>`
      + `<text x="${PLOT.right + 38}" y="${y + 2}">${escape(label)}</text>`;
  });
}

function page(title, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="${PLOT.left}" y="26">${escape(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** series: [{ name, label, points: [[x, y], ...] }]; x, y: { label, log }. */
export function lineChart({ title, x, y, series }) {
  const all = series.flatMap(({ points }) => points);
  const bounds = (index, log) => {
    const values = all.map((point) => point[index]).filter((value) => !log || value > 0);
    return { low: log ? Math.min(...values) : 0, high: Math.max(...values) * (index === 1 ? 1.05 : 1) };
  };
  const xAxis = makeAxis({ ...x, ...bounds(0, x.log) }, PLOT.left, PLOT.right);
  const yAxis = makeAxis({ ...y, ...bounds(1, y.log) }, PLOT.bottom, PLOT.top);
  const lines = series.map(({ name, points }) => {
    const placed = points.map(([px, py]) => [xAxis.place(px), yAxis.place(py)]);
    return `<path fill="none" stroke="${COLOURS[name]}" stroke-width="${name === 'notify' ? 3.5 : 1.8}" d="M${placed.map((point) => point.join(' ')).join('L')}"/>`
      + placed.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3" fill="${COLOURS[name]}"/>`).join('');
  });
  return page(title, [...drawAxes(xAxis, yAxis), ...lines, ...drawLegend(series)]);
}

/** series: [{ name, label, values }], shown as shares over bins that grow by a tenth each. */
export function histogram({ title, x, series }) {
  const binOf = (value) => Math.floor(Math.log(value) / Math.log(1.1));
  const edge = (bin) => 1.1 ** bin;
  const counted = series.map(({ name, values }) => {
    const bins = new Map();
    for (const value of values) bins.set(binOf(value), (bins.get(binOf(value)) ?? 0) + 1);
    return { name, bins: [...bins].map(([bin, count]) => [bin, (100 * count) / values.length]) };
  });
  const all = counted.flatMap(({ bins }) => bins);
  const xAxis = makeAxis({
    label: x.label, log: true, low: edge(Math.min(...all.map(([bin]) => bin))), high: edge(Math.max(...all.map(([bin]) => bin)) + 1),
  }, PLOT.left, PLOT.right);
  const yAxis = makeAxis({ label: 'share of events, %', low: 0, high: Math.max(...all.map(([, share]) => share)) * 1.05 }, PLOT.bottom, PLOT.top);
  const bars = counted.map(({ name, bins }) => bins.map(([bin, share]) => {
    const [from, to, top] = [xAxis.place(edge(bin)), xAxis.place(edge(bin + 1)), yAxis.place(share)];
    return `<rect x="${from}" y="${top}" width="${round(to - from)}" height="${round(PLOT.bottom - top)}" fill="${COLOURS[name]}" fill-opacity="0.55"/>`;
  }).join(''));
  return page(title, [...drawAxes(xAxis, yAxis), ...bars, ...drawLegend(series)]);
}
