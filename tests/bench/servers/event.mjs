// The event of all measurements: 200 bytes of JSON with a stamp in it, the same for every server.
import { STAMP_PLACE } from '../harness/tools.mjs';

export const EVENT_SIZE = 200;
export const TOPIC = 'bench/news';
export const NOBODYS_TOPIC = 'bench/nobody';
export const OTHER_TOPIC = 'bench/other';

const make = (filler) => JSON.stringify({ type: 'news', detail: STAMP_PLACE + filler });
export const EVENT = make('x'.repeat(EVENT_SIZE - make('').length));

/** One without a stamp: of many at once nobody looks at the single one. */
export const PLAIN_EVENT = EVENT.replace(STAMP_PLACE, 'x'.repeat(STAMP_PLACE.length));

/** Topics that somebody else holds: {{ID}} is the holder's number. Patterns of three shapes, none of which matches TOPIC. */
export const heldTopics = (count) => Array.from({ length: count }, (_, i) => `held/{{ID}}/t${String(i).padStart(4, '0')}`);
export const heldPatterns = (count) => Array.from({ length: count }, (_, i) => {
  const number = String(i).padStart(4, '0');
  return [`bench/+/h{{ID}}p${number}`, `+/h{{ID}}p${number}/#`, `held/{{ID}}/p${number}/+`][i % 3];
});

export function httpPost(path, body, headers = []) {
  return [`POST ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

export const httpGet = (path, headers = []) => [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', ''].join('\r\n');

export const WEBSOCKET_HEADERS = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: YmVuY2htYXJrLWtleS0wMQ=='];
