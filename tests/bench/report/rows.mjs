// The table's rows: what is shown of each server, and what this program has to reach.
import { readable } from './svg.mjs';

const microseconds = (value) => `${readable(value)} us`;
const kib = (value) => `${Number(value.toFixed(2))} KiB`;
const milliseconds = (value) => `${readable(value)} ms`;
const perSecond = (value) => `${Math.round(value).toLocaleString('en')}/s`;

/** A bar: `value` must be at most (or at least) `limit`; `what` says what it is. */
const atMost = (what, value, limit) => ({ what, value, limit, met: value <= limit, sign: '<=' });
const atLeast = (what, value, limit) => ({ what, value, limit, met: value >= limit, sign: '>=' });

function deliveryBars(figures, match, floorLimit, peer, peerLimit, server = 'notify') {
  return [
    atMost('x floor', figures.ratio(match, server, 'floor', 'cpu_us'), floorLimit),
    atMost(`x ${peer.label}`, figures.ratio(match, server, peer.name, 'cpu_us'), peerLimit),
  ];
}

const WEBSOCKET = { name: 'nchan-websocket', label: 'nchan WebSocket' };
const NATS = { name: 'nats', label: 'NATS' };

const delivery = (scenario, subscribers, window, floorLimit, peer, peerLimit) => ({
  what: `one delivery, ${window} in flight, ${subscribers.toLocaleString('en')} subscribers`,
  match: { scenario, subscribers, window },
  column: 'cpu_us',
  show: microseconds,
  bars: (figures) => deliveryBars(figures, { scenario, subscribers, window }, floorLimit, peer, peerLimit),
});

const STREAM = { scenario: 'stream' };

/** Events of a batch, so many at once, with so many subscribers. */
function batch(events, subscribers) {
  const match = { scenario: 'batches', events, subscribers };
  const audience = subscribers === 0 ? 'nobody subscribed' : 'one subscriber';
  return {
    what: `events a second in batches of ${events.toLocaleString('en')}, ${audience}, 16 clients`,
    match,
    column: 'rate',
    show: perSecond,
    bars: (figures) => (events !== 100 ? [] : [
      atLeast('x nchan, posts', figures.ratio(match, 'notify-web', WEBSOCKET.name, 'rate', { ...match, events: 1 }), 3),
      atLeast('x Redis, pipelined', figures.ratio(match, 'notify-web', 'redis', 'rate'), 0.5),
    ]),
  };
}

const EVENT_TO_ONE = { scenario: 'topics', topics: 0 };
const PHP = { scenario: 'latency' };

export const ROWS = [
  delivery('fanout', 1000, 1, 1.15, WEBSOCKET, 0.75),
  delivery('streams', 10000, 1, 1.15, WEBSOCKET, 0.75),
  delivery('fanout', 1000, 32, 1.5, NATS, 0.4),
  {
    what: 'memory of an idle stream (of 10,000)', match: STREAM, column: 'pss_kib', show: kib,
    bars: (figures) => [atMost('KiB', figures.median({ ...STREAM, server: 'notify' }, 'pss_kib'), 0.75)],
  },
  {
    what: 'accept and answer one subscription', match: STREAM, column: 'connect_cpu_us', show: microseconds,
    bars: (figures) => [atMost('x floor', figures.ratio(STREAM, 'notify', 'floor', 'connect_cpu_us'), 1.4)],
  },
  {
    what: 'event to 1 receiver, no other topic', match: EVENT_TO_ONE, column: 'cpu_us', show: microseconds,
    bars: (figures) => [atMost('x NATS', figures.ratio(EVENT_TO_ONE, 'notify', 'nats', 'cpu_us'), 1)],
  },
  {
    what: 'the same, 100,000 topics and 10,000 patterns held', match: { scenario: 'topics', topics: 100000 }, column: 'cpu_us', show: microseconds,
    bars: (figures) => [atMost('x with none',
      figures.ratio({ scenario: 'topics', topics: 100000 }, 'notify', 'notify', 'cpu_us', EVENT_TO_ONE), 1.2)],
  },
  {
    what: 'posts a second, nobody subscribed, 16 clients', match: { scenario: 'publish' }, column: 'rate', show: perSecond,
    bars: (figures) => [atLeast('x empty answer', figures.ratio({ scenario: 'publish' }, 'notify-web', 'empty', 'rate'), 0.6)],
  },
  { what: 'the same, 99th percentile', match: { scenario: 'publish' }, column: 'p99_us', show: (us) => milliseconds(us / 1000), bars: () => [] },
  ...[0, 1].flatMap((subscribers) => [1, 10, 100, 1000].map((events) => batch(events, subscribers))),
  {
    what: 'PHP to subscriber, median', match: PHP, column: 'p50_us', show: (us) => milliseconds(us / 1000),
    bars: (figures) => [
      atMost('ms', figures.median({ ...PHP, server: 'notify-web' }, 'p50_us') / 1000, 1),
      atMost('x nchan chunked', figures.ratio(PHP, 'notify-web', 'nchan-chunked', 'p50_us'), 1.5),
    ],
  },
  {
    what: 'PHP to subscriber, 99th percentile', match: PHP, column: 'p99_us', show: (us) => milliseconds(us / 1000),
    bars: (figures) => [
      atMost('ms', figures.median({ ...PHP, server: 'notify-web' }, 'p99_us') / 1000, 3),
      atMost('x nchan chunked', figures.ratio(PHP, 'notify-web', 'nchan-chunked', 'p99_us'), 2),
    ],
  },
  {
    what: '10,000 opened at once: latest event', match: { scenario: 'burst' }, column: 'opening_ms', show: milliseconds,
    bars: (figures) => [atMost('ms beyond floor', beyondFloor(figures, 'opening_ms'), 100)],
  },
  {
    what: '10,000 closed at once: latest event', match: { scenario: 'burst' }, column: 'closing_ms', show: milliseconds,
    bars: (figures) => [atMost('ms beyond floor', beyondFloor(figures, 'closing_ms'), 100)],
  },
];

/** What the other transports cost beside frames. */
const byTransport = (window) => {
  const match = { scenario: 'fanout', subscribers: 1000, window };
  return {
    what: `one delivery, ${window} in flight, 1,000 subscribers`,
    match,
    column: 'cpu_us',
    show: microseconds,
    bars: (figures) => [
      atMost('x frames by SSE', figures.ratio(match, 'notify-sse', 'notify', 'cpu_us'), 1.1),
      atMost('x frames by WebSocket', figures.ratio(match, 'notify-websocket', 'notify', 'cpu_us'), 1.1),
    ],
  };
};

export const TRANSPORT_ROWS = [
  byTransport(1),
  byTransport(32),
  { what: 'bytes of an event of 200', match: { scenario: 'fanout', subscribers: 1000, window: 1 }, column: 'bytes', show: String, bars: () => [] },
  { what: 'accept and answer one subscription', match: STREAM, column: 'connect_cpu_us', show: microseconds, bars: () => [] },
  { what: 'memory of an idle stream (of 10,000)', match: STREAM, column: 'pss_kib', show: kib, bars: () => [] },
];

const NCHAN_TLS = { name: 'nchan-tls-websocket', label: 'nchan WebSocket' };
const TLS = { scenario: 'tls', subscribers: 10000 };
const HANDSHAKE = { scenario: 'tls-handshake' };
const besideNchan = (match, column, limit) => (figures) => [
  atMost(`x ${NCHAN_TLS.label}`, figures.ratio(match, 'notify-tls', NCHAN_TLS.name, column), limit),
  atMost(`x ${NCHAN_TLS.label}, by WebSocket`, figures.ratio(match, 'notify-tls-websocket', NCHAN_TLS.name, column), limit),
];

/** Over TLS, beside nchan behind the TLS of its nginx. */
export const TLS_ROWS = [
  { what: 'one delivery, 1 in flight, 10,000 subscribers', match: TLS, column: 'cpu_us', show: microseconds, bars: besideNchan(TLS, 'cpu_us', 0.75) },
  { what: 'memory of an idle stream (of 10,000)', match: TLS, column: 'pss_kib', show: kib, bars: besideNchan(TLS, 'pss_kib', 0.5) },
  { what: 'handshake and a short answer', match: HANDSHAKE, column: 'connect_cpu_us', show: microseconds, bars: besideNchan(HANDSHAKE, 'connect_cpu_us', 1.1) },
  { what: 'handshake, accept and answer one subscription', match: TLS, column: 'connect_cpu_us', show: microseconds, bars: () => [] },
];

export const TLS_COLUMNS = [
  { name: 'notify-tls', label: 'this' },
  { name: 'notify-tls-websocket', label: 'this, WebSocket' },
  { name: 'nchan-tls-websocket', label: 'nchan WebSocket' },
  { name: 'nchan-tls-sse', label: 'nchan SSE' },
];

function beyondFloor(figures, column) {
  return figures.median({ scenario: 'burst', server: 'notify' }, column) - figures.median({ scenario: 'burst', server: 'floor' }, column);
}

export const TRANSPORT_COLUMNS = [
  { name: 'notify', label: 'frames' },
  { name: 'notify-sse', label: 'SSE' },
  { name: 'notify-websocket', label: 'WebSocket' },
];

export const COLUMNS = [
  { name: 'floor', label: 'floor' },
  { name: 'floor-batch', label: 'floor, io_uring' },
  { name: 'notify', label: 'this' },
  { name: 'notify-headers', label: 'this, headers kept' },
  { name: 'notify-web', label: 'this, web server counted' },
  { name: 'notify-web-kept', label: 'the same, connections kept' },
  { name: 'empty', label: 'nginx, empty answer' },
  { name: 'nchan-websocket', label: 'nchan WebSocket' },
  { name: 'nchan-chunked', label: 'nchan chunked' },
  { name: 'nchan-sse', label: 'nchan SSE' },
  { name: 'nats', label: 'NATS' },
  { name: 'mosquitto', label: 'Mosquitto' },
  { name: 'redis', label: 'Redis' },
];

/** The cells of a row in the order of the columns; an empty text where nothing was measured. */
export function cellsOf(row, columns, figures) {
  return columns.map(({ name }) => {
    const value = figures.median({ ...row.match, server: name }, row.column);
    return Number.isFinite(value) ? row.show(value) : '';
  });
}

/** "0.93 x floor (<= 1.15)", and whether every bar is met; only bars that were measured. */
export function barsOf(row, figures) {
  const measured = row.bars(figures).filter(({ value }) => Number.isFinite(value));
  return measured.map((bar) => ({ ...bar, text: `${Number(bar.value.toFixed(2))} ${bar.what} (${bar.sign} ${bar.limit})` }));
}
