import { EVENT, WEBSOCKET_HEADERS, httpGet, httpPost } from './event.mjs';
import { makeCertificate } from './certificate.mjs';
import { startNginx } from './nginx.mjs';
import { hex } from '../harness/tools.mjs';
import { endServer, freePort, pidsOf } from '../harness/processes.mjs';

const LOCATIONS = `
    location = /pub { nchan_publisher; nchan_channel_id news; }
    location = /pub-nobody { nchan_publisher; nchan_channel_id nobody; }
    location = /sub { nchan_subscriber; nchan_channel_id news; nchan_subscriber_first_message newest; }
    location = /other { nchan_subscriber; nchan_channel_id other; nchan_subscriber_first_message newest; }`;

function listenTls(dir, port) {
  const { cert, key } = makeCertificate(dir);
  return `
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /healthz { return 200 "ok"; }`;
}

/** `tls`: subscribers come to another port, of HTTPS. */
function nchan(transport, label, headers, { tls = false } = {}) {
  return {
    name: `nchan-${transport}`,
    label,
    async start(dir) {
      const port = await freePort();
      const streams = tls ? await freePort() : port;
      const nginx = await startNginx(dir, {
        port, workers: 1, nchan: true, http: '  nchan_shared_memory_size 256M;', server: LOCATIONS + (tls ? listenTls(dir, streams) : ''),
      });
      const answered = (request) => ({ port: streams, tls, request, subscribed: hex('\r\n\r\n') });
      return {
        pids: () => pidsOf(nginx),
        subscriber: answered(httpGet('/sub', headers)),
        idle: answered(httpGet('/other', headers)),
        handshake: answered(httpGet('/healthz')),
        // A backend is answered before it posts again on the same connection: one connection for each event in flight.
        publisher: { port, message: httpPost('/pub', EVENT), connectionPerEvent: true },
        batchSizes: [1],
        batch: (count, isHeard) => ({ port, request: httpPost(isHeard ? '/pub' : '/pub-nobody', EVENT) }),
        posts: { port, request: httpPost('/pub-nobody', EVENT) },
        eventUrl: `http://127.0.0.1:${port}/pub`,
        eventBody: EVENT,
        stop: () => endServer(nginx),
      };
    },
  };
}

export const nchanWebsocket = nchan('websocket', 'nchan WebSocket', WEBSOCKET_HEADERS);
export const nchanChunked = nchan('chunked', 'nchan chunked', ['TE: chunked']);
export const nchanEvents = nchan('sse', 'nchan SSE', ['Accept: text/event-stream']);
export const nchanTlsWebsocket = nchan('tls-websocket', 'nchan WebSocket over nginx\'s TLS', WEBSOCKET_HEADERS, { tls: true });
export const nchanTlsEvents = nchan('tls-sse', 'nchan SSE over nginx\'s TLS', ['Accept: text/event-stream'], { tls: true });
