// WebSocket: a message for each event.

export function listen(topics, hear, tell, last_id) {
  const query = new URLSearchParams(topics.map((topic) => ['ep', topic]));
  if (last_id) query.set('last_id', last_id);
  const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/notify/ws?${query}`);
  socket.addEventListener('message', ({ data }) => {
    const frame = JSON.parse(data);
    last_id = frame.id; // the next connection begins after it
    if (frame.ep.requested === '@SERVER@') tell(frame.e.type);
    else hear(frame);
  });
  socket.addEventListener('close', () => {
    tell('waiting');
    setTimeout(listen, 1000 + 2000 * Math.random(), topics, hear, tell, last_id);
  });
}
