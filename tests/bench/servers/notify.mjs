// es-web-notify itself: the daemon alone, published to on its bus; or all of it, behind nginx, published to by HTTP.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { EVENT, NOBODYS_TOPIC, OTHER_TOPIC, PLAIN_EVENT, TOPIC, WEBSOCKET_HEADERS, heldPatterns, heldTopics, httpGet, httpPost } from './event.mjs';
import { makeCertificate } from './certificate.mjs';
import { startNginx } from './nginx.mjs';
import { hex, keepMessage } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf, startServer, waitForServer } from '../harness/processes.mjs';

const TOKEN = 'a-token-for-measuring-only';
const WORKERS = 2;

// What Chromium sends with a POST of a page, in the same order.
const BROWSER_HEADERS = [
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="124", "Not-A.Brand";v="99"',
  'sec-ch-ua-platform: "Linux"',
  'sec-ch-ua-mobile: ?0',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36',
  'Content-Type: text/plain;charset=UTF-8',
  'Accept: */*',
  'Origin: https://shop.example.com',
  'Sec-Fetch-Site: same-site',
  'Sec-Fetch-Mode: cors',
  'Sec-Fetch-Dest: empty',
  'Referer: https://shop.example.com/orders/4711',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,es;q=0.8',
];

// On a slow machine opening streams takes longer than a WebSocket may leave pings unanswered, and load tools answer none.
function writeConfig(dir, port, keepHeaders, fanout = '') {
  const token = join(dir, 'publish.token');
  writeFileSync(token, `${TOKEN}\n`);
  chmodSync(token, 0o600);
  const path = join(dir, 'es-web-notify.conf');
  writeFileSync(path, `
[fanout]
listen = 127.0.0.1:${port}
keep_alive = 1h
keep_headers = ${keepHeaders ? 'yes' : 'no'}
${fanout}
[publish]
token_file = ${token}
[bus]
events = ipc://${dir}/events
acks = ipc://${dir}/acks
[messages]
level = warning
`);
  return path;
}

async function startDaemon(dir, programs, port, config) {
  const daemon = startServer(dir, 'esn-fanout', programs.fanout, ['--config', config]);
  await waitForServer(daemon, port);
  return daemon;
}

function subscription(port, path, topics, headers = []) {
  const body = JSON.stringify({ clid: 'client-{{ID}}', ep: topics });
  return { port, request: httpPost(path, body, headers), subscribed: hex('"connected"') };
}

/** The same by a transport that has its subscription in the query. */
function subscriptionByQuery(port, path, topics, headers) {
  const query = topics.map((topic) => `ep=${encodeURIComponent(topic)}`).join('&');
  return { port, request: httpGet(`${path}?clid=client-{{ID}}&${query}`, headers), subscribed: hex('"connected"') };
}

function subscriptions(subscribe) {
  return {
    subscriber: subscribe([TOPIC]),
    idle: subscribe([OTHER_TOPIC]),
    holders: (kind, count) => subscribe(kind === 'patterns' ? heldPatterns(count) : heldTopics(count)),
  };
}

function listenTls(dir, port) {
  const { cert, key } = makeCertificate(dir);
  return `listen_tls = 127.0.0.1:${port}\ntls_cert = ${cert}\ntls_key = ${key}`;
}

/** subscribe(port, topics): what a client sends. `tls`: its port is one of HTTPS. */
function daemonAlone(name, label, subscribe, { keepHeaders = false, tls = false } = {}) {
  return {
    name,
    label,
    async start(dir, programs) {
      const port = await freePort();
      const streams = tls ? await freePort() : port;
      const daemon = await startDaemon(dir, programs, port, writeConfig(dir, port, keepHeaders, tls ? listenTls(dir, streams) : ''));
      const event = keepMessage(dir, 'event', EVENT);
      const reach = (topics) => ({ ...subscribe(streams, topics), tls });
      return {
        pids: () => pidsOf(daemon),
        ...subscriptions(reach),
        handshake: { port: streams, tls, request: httpGet('/healthz'), subscribed: hex('"ok"') },
        publisher: {
          port,
          command: `exec ${programs.busPublish} --events ipc://${dir}/events --acks ipc://${dir}/acks --topic ${TOPIC} --event ${event}`,
        },
        stop: () => endServer(daemon),
      };
    },
  };
}

const webUpstream = (dir) => `
  upstream esn_event {
    server unix:${dir}/event.sock;
    keepalive 16;
    keepalive_timeout 1s;
  }`;

/** As deploy/nginx has them, with a connection of its own for each post, or with connections that are kept. */
const webLocations = (dir, daemonPort, keeps) => `
    location = /notify/event {
      include /etc/nginx/fastcgi_params;
      ${keeps ? 'fastcgi_pass esn_event; fastcgi_keep_conn on;' : `fastcgi_pass unix:${dir}/event.sock;`}
      client_body_buffer_size 256k;
    }
    location = /empty { include /etc/nginx/fastcgi_params; fastcgi_pass unix:${dir}/empty.sock; }
    location /notify/ {
      proxy_pass http://127.0.0.1:${daemonPort}/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }`;

export const notify = daemonAlone('notify', 'this', (port, topics) => subscription(port, '/', topics));
export const notifySse = daemonAlone('notify-sse', 'this, SSE',
  (port, topics) => subscriptionByQuery(port, '/sse', topics, ['Accept: text/event-stream']));
export const notifyWebsocket = daemonAlone('notify-websocket', 'this, WebSocket',
  (port, topics) => subscriptionByQuery(port, '/ws', topics, WEBSOCKET_HEADERS));
export const notifyHeaders = daemonAlone('notify-headers', 'this, headers kept',
  (port, topics) => subscription(port, '/', topics, BROWSER_HEADERS), { keepHeaders: true });

export const notifyTls = daemonAlone('notify-tls', 'this, TLS', (port, topics) => subscription(port, '/', topics), { tls: true });
export const notifyTlsWebsocket = daemonAlone('notify-tls-websocket', 'this, WebSocket over TLS',
  (port, topics) => subscriptionByQuery(port, '/ws', topics, WEBSOCKET_HEADERS), { tls: true });

const behindNginx = (name, label, keeps) => ({
  name,
  label,
  async start(dir, programs) {
    mkdirSync(dir, { recursive: true });
    const [daemonPort, port] = [await freePort(), await freePort()];
    const config = writeConfig(dir, daemonPort, false);
    const daemon = await startDaemon(dir, programs, daemonPort, config);
    const handlers = startServer(dir, 'esn-event', programs.event,
      ['--config', config, '--listen', `unix:${dir}/event.sock`, '--workers', String(WORKERS)]);
    const empty = startServer(dir, 'empty_answer', programs.emptyAnswer, [join(dir, 'empty.sock'), String(WORKERS)]);
    await waitForServer(handlers, join(dir, 'event.sock'), WORKERS);
    await waitForServer(empty, join(dir, 'empty.sock'), WORKERS);
    const nginx = await startNginx(dir, { port, workers: availableParallelism(), http: webUpstream(dir), server: webLocations(dir, daemonPort, keeps) });
    const path = `/notify/event?token=${TOKEN}`;
    const batch = (count, topic) => `{"events":[${Array(count).fill(`{"ep":["${topic}"],"e":${PLAIN_EVENT}}`).join(',')}]}`;
    const body = (topic) => `{"ep":["${topic}"],"e":${EVENT}}`;
    return {
      pids: () => pidsOf(daemon, handlers, nginx),
      ...subscriptions((topics) => subscription(daemonPort, '/', topics)),
      publisher: { port, message: httpPost(path, body(TOPIC), ['Content-Type: application/json']), connectionPerEvent: true },
      posts: { port, request: httpPost(path, body(NOBODYS_TOPIC), ['Content-Type: application/json']) },
      batch: (count, isHeard) => ({
        port, request: httpPost(path, batch(count, isHeard ? TOPIC : NOBODYS_TOPIC), ['Content-Type: application/json']),
      }),
      emptyPosts: { port, request: httpPost('/empty', body(NOBODYS_TOPIC), ['Content-Type: application/json']) },
      emptyPids: () => pidsOf(empty, nginx),
      proxied: subscription(port, '/notify/', [TOPIC]),
      eventUrl: `http://127.0.0.1:${port}${path}`,
      eventBody: body(TOPIC),
      stop: async () => {
        for (const server of [nginx, handlers, empty, daemon]) await endServer(server);
      },
    };
  },
});

export const notifyWeb = behindNginx('notify-web', 'this, web server counted', false);
export const notifyWebKept = behindNginx('notify-web-kept', 'this, connections kept', true);
