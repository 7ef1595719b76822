// Server-Sent Events. The frame's JSON is in `data:`, and has in it what the other fields say.

/** Gives a function that takes text in pieces of any size, and calls take(json text) for each event. */
export function sseReader(take) {
  let text = '';
  let data = '';
  return (piece) => {
    text += piece;
    if (!piece.includes('\n')) return;
    const lines = text.split(/\r?\n/);
    text = lines.pop();
    for (const line of lines) {
      if (line.startsWith('data:')) {
        data += line.slice(line[5] === ' ' ? 6 : 5);
      } else if (!line && data) {
        const whole = data;
        data = '';
        take(whole);
      }
    }
  };
}
