// Server-Sent Events. The frame's JSON is in the one `data:` of an event, and has in it what the other fields say.

/** Gives a function that takes text in pieces of any size, and calls take(json text) for each event. */
export function sseReader(take) {
  let text = '';
  return (piece) => {
    text += piece;
    if (!piece.includes('\n')) return;
    const events = text.split(/\r?\n\r?\n/);
    text = events.pop();
    for (const event of events) {
      const data = /^data: ?(.+)/m.exec(event);
      if (data) take(data[1]);
    }
  };
}
