'use strict';

// A process of hostile clients: node attacker.js KIND --port P [--count N] [--host H] [--from ADDRESS]... [--ep TOPIC]...
// Says "ready" when all are at it, and goes on until it is killed. ADDRESSes are its own (127.0.0.2 and so on).
//   unfinished  N connections on which a request is begun and never finished; one that the daemon closes is opened again
//   silent      N connections on which nothing is sent; likewise
//   resets      connects and resets as fast as it can, N at a time
//   stalled     N streams that are not read
//   reading     N streams that are read, to compare with
//   knocking    N connections that are begun, and perhaps never answered

const net = require('node:net');
const { parseArgs } = require('node:util');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    count: { type: 'string', default: '100' },
    host: { type: 'string', default: '127.0.0.1' },
    from: { type: 'string', multiple: true },
    ep: { type: 'string', multiple: true, default: ['a'] },
  },
});

const PARALLEL = 200;
// An address has less than 30,000 ports.
const addresses = values.from ?? Array.from({ length: 50 }, (_, i) => `127.0.0.${2 + i}`);
const count = Number(values.count);
const body = JSON.stringify({ ep: values.ep, clid: positionals[0] });
const subscription = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const FIRST_WORDS = {
  unfinished: (index) =>
    index % 2 === 0 ? 'POST / HTTP/1.1\r\nHost: x\r\nX-' : 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"ep"',
  silent: () => '',
  stalled: () => subscription,
  reading: () => subscription,
};

/** Connects; resolves when it is connected and has said its first words, or has failed. */
function connect(index, { onGone }) {
  return new Promise((resolve) => {
    const socket = net.connect({
      port: Number(values.port),
      host: values.host,
      localAddress: addresses[index % addresses.length],
    });
    const settle = () => resolve(socket);
    socket.on('error', (error) => {
      if (error.code === 'EMFILE') {
        throw new Error('too few open files for so many: raise ulimit -n');
      }
    });
    socket.on('close', () => {
      settle();
      onGone?.();
    });
    socket.on('connect', () => {
      const words = FIRST_WORDS[positionals[0]]?.(index);
      if (words) {
        socket.write(words, settle);
      } else {
        settle();
      }
    });
  });
}

/** A refused one waits a little, as if it minded. */
async function hold(index) {
  const again = () => setTimeout(hold, 500, index);
  const socket = await connect(index, { onGone: again });
  socket.resume(); // otherwise it would not notice that it was closed
}

/** Reads until the stream has begun, and then never again, or everything. */
async function listen(index, goesOn) {
  const socket = await connect(index, {});
  await new Promise((resolve) => {
    socket.once('data', () => {
      if (goesOn) {
        socket.resume();
      } else {
        socket.pause();
      }
      resolve();
    });
    socket.once('close', resolve);
  });
}

/** One that is not let in knocks again. */
function knock(index) {
  connect(index, { onGone: () => setTimeout(knock, 500, index) });
}

async function reset(index) {
  for (;;) {
    (await connect(index, {})).resetAndDestroy();
  }
}

async function each(act) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      await act(next++);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, count) }, worker));
}

async function main() {
  const [kind] = positionals;
  if (kind === 'resets') {
    for (let i = 0; i < count; i++) {
      reset(i);
    }
  } else if (kind === 'knocking') {
    for (let i = 0; i < count; i++) {
      knock(i);
    }
  } else if (kind === 'stalled' || kind === 'reading') {
    await each((index) => listen(index, kind === 'reading'));
  } else {
    await each(hold);
  }
  console.log('ready');
  setInterval(() => {}, 60_000);
}

main();
