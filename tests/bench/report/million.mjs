// "One million receivers on paper": the measured figures, times a million.
const MILLION = 1e6;
const GIB_IN_KIB = 1024 * 1024;
const KEEP_ALIVE_S = 50;
const STREAM_TIME_S = 3600;

const gib = (kib) => `${((kib * MILLION) / GIB_IN_KIB).toFixed(1)} GiB`;
const seconds = (us) => `${((us * MILLION) / 1e6).toFixed(1)} s of one core`;
const share = (us, everySeconds) => `${((100 * us * MILLION) / 1e6 / everySeconds).toFixed(1)} % of one core`;

export function markdownMillion(figures) {
  const stream = (server, column) => figures.median({ scenario: 'stream', server }, column);
  const [idle, headers] = [stream('notify', 'pss_kib'), stream('notify-headers', 'pss_kib')];
  // Both ends of every stream are on the measuring machine; a server has one of them.
  const kernel = stream('notify', 'slab_kib') / 2;
  const shout = figures.median({ scenario: 'streams', server: 'notify', subscribers: 10000 }, 'cpu_us');
  const floor = figures.median({ scenario: 'streams', server: 'floor', subscribers: 10000 }, 'cpu_us');
  const batched = figures.median({ scenario: 'streams', server: 'floor-batch', subscribers: 10000 }, 'cpu_us');
  const busy = figures.median({ scenario: 'fanout', server: 'notify', subscribers: 1000, window: 32 }, 'cpu_us');
  const accept = stream('notify-headers', 'connect_cpu_us');
  const rows = [
    ['memory of the daemon, headers not kept', `${idle.toFixed(2)} KiB`, gib(idle)],
    ["memory of the daemon, a browser's headers kept", `${headers.toFixed(2)} KiB`, gib(headers)],
    ['kernel memory of an idle stream (slabs: socket, inode, file, epoll entry)', `${kernel.toFixed(2)} KiB`, gib(kernel)],
    ['descriptors', '1', '1,000,000 and a few'],
    ['a shout to all, nothing else in flight', `${shout.toFixed(2)} us`, seconds(shout)],
    ['what the kernel alone would take for it, written one by one (floor)', `${floor.toFixed(2)} us`, seconds(floor)],
    ['the same, many in one system call (floor, io_uring)', `${batched.toFixed(2)} us`, seconds(batched)],
    ['an event to all when 32 are in flight and share writes', `${busy.toFixed(2)} us`, seconds(busy)],
    [`keep-alives, every ${KEEP_ALIVE_S} s, on streams that hear nothing else`, `${shout.toFixed(2)} us`, share(shout, KEEP_ALIVE_S)],
    ["subscribing anew once an hour, with a browser's headers", `${accept.toFixed(1)} us`, share(accept, STREAM_TIME_S)],
    ['all subscribing at once, after a restart', `${accept.toFixed(1)} us`, seconds(accept)],
  ];
  return ['| what | one, measured | a million |', '|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
}
