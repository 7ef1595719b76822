// What an event takes on its way to the page. Of streams a page learns no numbers from the browser; but it has the event,
// and how each way dresses it is fixed. Of a poll it learns the length of the body, and the head is like that of any other.

/** Without the few bytes of HTTP's chunks. What probes say is ASCII, so that characters are bytes. */
export const STREAMED = {
  frames: (json) => `''${json.length}''${json}`.length,
  sse: (json) => `id: ${JSON.parse(json).id}\ndata: ${json}\n\n`.length,
  websocket: (json) => json.length + (json.length < 126 ? 2 : 4),
};

/** The JSON of an event, as it came: the client package gives its parts. */
export function jsonOf({ iat, id, ep, e, requested, topic: emitted, type, detail }) {
  return JSON.stringify({ iat, id, ep: ep ?? { requested, emitted }, e: e ?? { type, detail } });
}

async function measureHead(url) {
  const answer = await fetch(`${url}?ep=ways&wait=0`);
  const lines = [`HTTP/1.1 ${answer.status} ${answer.statusText}`, ...answer.headers].map((line) => [line].flat().join(': '));
  return `${lines.join('\r\n')}\r\n\r\n`.length;
}

/** Calls told(bytes) for each answer to a poll at `url` from now on. */
export async function watchPolls(url, told) {
  const head = await measureHead(url);
  new PerformanceObserver((list) => {
    for (const { name, encodedBodySize } of list.getEntries()) {
      if (new URL(name).pathname === url && encodedBodySize > 0) told(head + encodedBodySize);
    }
  }).observe({ type: 'resource' });
}
