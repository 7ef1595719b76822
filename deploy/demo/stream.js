// The broker's stream, as a page reads it: frames ''LENGTH''JSON, where LENGTH is what String.length says of the JSON.

const FRAME_HEAD = /\s*''(\d{1,10})''/y;
const PART_OF_HEAD = /^\s*('('(\d{1,10}'?)?)?)?$/;

/** Takes text as it comes, in pieces of any size, and gives back the events that are complete. */
export class FrameReader {
  #text = '';
  #needed = 0; // length of #text below which there is no whole frame yet

  push(piece) {
    const events = [];
    let at = 0;
    this.#text += piece;
    while (this.#text.length >= this.#needed) {
      FRAME_HEAD.lastIndex = at;
      const head = FRAME_HEAD.exec(this.#text);
      if (!head) {
        if (!PART_OF_HEAD.test(this.#text.slice(at))) throw new Error('This is no stream of frames');
        this.#needed = 0;
        break;
      }
      const start = FRAME_HEAD.lastIndex;
      const end = start + Number(head[1]);
      this.#needed = end - at;
      if (this.#text.length < end) break;
      if (end > start) events.push(JSON.parse(this.#text.slice(start, end)));
      at = end;
      this.#needed = 0;
    }
    this.#text = this.#text.slice(at);
    return events;
  }
}

/**
 * Subscribes and gives the events until the stream ends; throws when it is refused or breaks.
 * A stream that is silent for longer than two keep-alives is taken for broken.
 */
export async function* listen(url, subscription, { silence = 110_000 } = {}) {
  const abort = new AbortController();
  let watch = setTimeout(() => abort.abort(), silence);
  try {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(subscription), signal: abort.signal });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const frames = new FrameReader();
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort(), silence);
      yield* frames.push(value);
    }
  } finally {
    clearTimeout(watch);
    abort.abort();
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * Listens for as long as the page lives. After each end it waits a little, more each time (up to 30 s) while nothing
 * comes of it, and by chance more or less, so that a thousand pages do not come back at the same moment.
 * `subscription` is called for each try; `on.event`, `on.connecting` and `on.waiting(milliseconds)` are told.
 */
export async function listenForEver(url, subscription, on) {
  for (let failures = 0; ; failures++) {
    let hint; // of a broker that stops
    on.connecting();
    try {
      for await (const event of listen(url, subscription())) {
        failures = 0;
        if (event.ep.requested === '@SERVER@' && event.e.type === 'stopping') hint = event.e.detail.retry;
        on.event(event);
      }
    } catch (error) {
      console.info('The stream broke:', error.message);
    }
    const wait = hint ?? Math.min(30_000, 500 * 2 ** failures) * (0.5 + Math.random() / 2);
    on.waiting(wait);
    await pause(wait);
  }
}
