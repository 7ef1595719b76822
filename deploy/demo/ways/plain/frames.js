// Streamed frames: the answer to one POST goes on and on. Each event in it is ''LENGTH''JSON.

export async function listen(topics, hear, tell) {
  let last_id; // the next stream begins after it
  const take = (frame) => {
    last_id = frame.id;
    if (frame.ep.requested === '@SERVER@') tell(frame.e.type);
    else hear(frame);
  };
  for (;;) {
    try {
      const answer = await fetch('/notify/', { method: 'POST', body: JSON.stringify({ ep: topics, last_id }) });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = '', piece; !(piece = await pieces.read()).done; ) {
        text += piece.value;
        for (let head; (head = text.match(/^\s*''(\d+)''/)); ) {
          const start = head[0].length;
          const end = start + Number(head[1]);
          if (text.length < end) break; // the rest is on its way
          if (end > start) take(JSON.parse(text.slice(start, end))); // else it says that the stream is alive
          text = text.slice(end);
        }
      }
    } catch (error) {
      console.info(error);
    }
    tell('waiting');
    await new Promise((done) => setTimeout(done, 1000 + 2000 * Math.random()));
  }
}
