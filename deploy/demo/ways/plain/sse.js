// Server-Sent Events: the browser reads the stream, comes back by itself, and says what it had last.

export function listen(topics, hear, tell, last_id) {
  const query = new URLSearchParams(topics.map((topic) => ['ep', topic]));
  if (last_id) query.set('last_id', last_id);
  const source = new EventSource(`/notify/sse?${query}`);
  source.addEventListener('connected', ({ lastEventId }) => {
    last_id = lastEventId;
    tell('connected');
  });
  source.addEventListener('message', ({ data, lastEventId }) => {
    last_id = lastEventId;
    hear(JSON.parse(data));
  });
  source.addEventListener('error', () => {
    tell('waiting');
    if (source.readyState !== EventSource.CLOSED) return;
    // The answer was an error, after which the browser gives up.
    setTimeout(listen, 1000 + 2000 * Math.random(), topics, hear, tell, last_id);
  });
}
