'use strict';

// What a client without a token can do to a daemon that holds a log of many topics. Each case is
// attack(target, size): it goes on until target.isOver(), with sockets of its own; `size` scales it (1: as in the soak).

const net = require('node:net');
const { pause } = require('./wait');

const END_LENGTH = 1024;

/** A connection that says something and reads, or does not read, what it is told. Never rejects. */
class Stranger {
  received = 0;
  text = '';
  end = ''; // of the text, for who waits for what comes last: looking through all of it each time would starve the reading
  isClosed = false;

  constructor(target, { reads = true, keeps = 0 } = {}) {
    // From an address that is nobody else's, and no trusted proxy's.
    this.socket = net.connect({ port: target.port, host: '127.0.0.1', localAddress: target.from ?? '127.0.0.66' });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.isClosed = true;
        resolve();
      });
    });
    if (reads) {
      this.socket.on('data', (chunk) => {
        this.received += chunk.length;
        if (this.text.length < keeps) {
          const more = chunk.toString('latin1');
          this.text += more;
          this.end = (this.end + more).slice(-END_LENGTH);
        }
      });
    } else {
      this.socket.pause();
    }
  }

  say(text) {
    this.socket.write(text);
    return this;
  }

  leave() {
    this.socket.destroy();
    return this.closed;
  }
}

function post(path, body, more = '') {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const subscription = (ep, more = {}) => post('/', JSON.stringify({ ep, ...more }));
const range = (count, make) => Array.from({ length: count }, (_, i) => make(i));

/** Holds `count` strangers made by make(i), each for `ms`, again and again. */
async function keepComing(target, count, ms, make) {
  while (!target.isOver()) {
    const strangers = range(count, make);
    await pause(ms);
    await Promise.all(strangers.map((stranger) => stranger.leave()));
  }
}

const cases = {
  'overlapping patterns that resume': (target, size) => {
    const ep = range(31, (i) => `${'+/'.repeat(i)}#`);
    return keepComing(target, Math.ceil(8 * size), 1000, () =>
      new Stranger(target).say(subscription(ep, { last_id: '0-0' })),
    );
  },

  'a thousand patterns that resume': (target, size) => {
    const ep = range(1000, (i) => range(12, (level) => ((i >> level) & 1 ? '+' : String(i % 7))).join('/'));
    return keepComing(target, Math.ceil(4 * size), 1000, (i) =>
      new Stranger(target).say(subscription(ep.slice(i), { last_id: '0-0' })),
    );
  },

  'everything, by many, again and again': (target, size) =>
    keepComing(target, Math.ceil(50 * size), 2000, () =>
      new Stranger(target).say(subscription(['#'], { last_id: '0-0' })),
    ),

  'everything, and never read': (target, size) =>
    keepComing(target, Math.ceil(1000 * size), 4000, () =>
      new Stranger(target, { reads: false }).say(subscription(['#'], { last_id: '0-0' })),
    ),

  'topics of many levels that share nothing': (target, size) =>
    keepComing(target, Math.ceil(80 * size), 500, (i) =>
      new Stranger(target).say(
        subscription(range(100, (topic) => range(60, (level) => `${i}.${topic}.${level % 10}`).join('/'))),
      ),
    ),

  // Polls on one connection: what the first one held has to go before the next one begins.
  'as many levels as one may have, again and again': (target, size) =>
    keepComing(target, Math.ceil(20 * size), 300, (i) => {
      const ep = range(180, (topic) => `${i}.${topic}${'/x'.repeat(59)}`);
      return new Stranger(target).say(i % 2 ? subscription(ep) : post('/poll', JSON.stringify({ ep, wait: 0 })).repeat(4));
    }),

  'a thousand topics each, who come and go': (target, size) =>
    keepComing(target, Math.ceil(200 * size), 300, (i) =>
      new Stranger(target).say(subscription(range(1000, (topic) => `${i}/x/${topic}`))),
    ),

  'heavy JSON': (target, size) =>
    keepComing(target, Math.ceil(20 * size), 100, (i) =>
      new Stranger(target)
        .say(post(i % 2 ? '/alive' : '/', `{"ep":[${'[],'.repeat(20_000)}0]}`))
        .say(post('/', JSON.stringify({ ep: range(1000, (topic) => `${'x'.repeat(55)}${topic}`) }))),
    ),

  'bodies that never become whole': (target, size) =>
    keepComing(target, Math.ceil(3000 * size), 3000, () =>
      new Stranger(target).say(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65000\r\n\r\n${' '.repeat(64_000)}`,
      ),
    ),

  'pages that watch each other': (target, size) =>
    keepComing(target, Math.ceil(500 * size), 1000, () =>
      new Stranger(target).say(subscription(['@CONNECTION@/page', '@CONNECTION@/+'], { clid: 'page' })),
    ),

  'visits that many watch by patterns': async (target, size) => {
    const watchers = range(Math.ceil(100 * size), () =>
      new Stranger(target).say(subscription(range(10, (i) => `@CONNECTION@/${'+/'.repeat(i)}#`))),
    );
    await keepComing(target, Math.ceil(50 * size), 100, (i) =>
      new Stranger(target).say(subscription(['a/b'], { clid: `visit/${i}/1/2/3/4/5/6/7/8` })),
    );
    await Promise.all(watchers.map((watcher) => watcher.leave()));
  },

  'tickets that are none': (target, size) =>
    keepComing(target, Math.ceil(50 * size), 50, () =>
      new Stranger(target).say('GET /?ticket=none HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20)),
    ),

  'polls that do not wait, one behind the other': (target, size) =>
    keepComing(target, Math.ceil(20 * size), 200, () =>
      new Stranger(target).say(post('/poll', '{"ep":["#"],"wait":0,"last_id":"0-0"}').repeat(10)),
    ),

  'polls of a thousand topics that one event ends': (target, size) =>
    keepComing(target, Math.ceil(200 * size), 500, (i) =>
      new Stranger(target).say(
        post('/poll', JSON.stringify({ ep: ['healthy', ...range(999, (topic) => `poll/${i}/${topic}`)] })).repeat(3),
      ),
    ),

  'silence that ends for all in one moment': (target, size) =>
    keepComing(target, Math.ceil(3000 * size), 4000, () => new Stranger(target).say('GET / HTT')),
};

/** Fills the daemon's log: `count` topics of six levels with an event each, in posts of a thousand. */
async function fillLog(stack, count) {
  for (let first = 0; first < count; first += 1000) {
    const topics = range(Math.min(1000, count - first), (i) => {
      const n = first + i;
      return `${n % 7}/${n % 3}/${n % 5}/${n % 2}/x/${n}`;
    });
    await stack.publish(topics, 'fill', 'x'.repeat(20));
  }
}

module.exports = { Stranger, cases, fillLog, post, range, subscription };
