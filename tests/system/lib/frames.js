'use strict';

const HEAD = /^\s*''(\d+)''/;
const HEAD_BEGINNING = /^\s*('('(\d+('('?)?)?)?)?)?$/;

/**
 * Reads a run of frames `''LENGTH''JSON`, given in pieces cut anywhere. LENGTH counts as String.length does. It is
 * strict: anything but white space between two frames is an error.
 */
class FrameReader {
  #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #text = '';
  #onFrame;

  /** onFrame(text) gets the JSON text of each frame; '' is a keep-alive. */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  write(chunk) {
    this.#text += this.#decoder.decode(chunk, { stream: true });
    for (;;) {
      const head = HEAD.exec(this.#text);
      if (!head) {
        if (!HEAD_BEGINNING.test(this.#text)) {
          throw new Error(`no frame begins with ${JSON.stringify(this.#text.slice(0, 80))}`);
        }
        return;
      }
      const start = head[0].length;
      const end = start + Number(head[1]);
      if (this.#text.length < end) {
        return;
      }
      const frame = this.#text.slice(start, end);
      this.#text = this.#text.slice(end);
      this.#onFrame(frame);
    }
  }

  /** To be called at the end of the stream, which must not be inside a frame. */
  end() {
    this.#decoder.decode();
    if (this.#text.trim() !== '') {
      throw new Error(`the stream ends inside a frame: ${JSON.stringify(this.#text.slice(0, 80))}`);
    }
  }
}

module.exports = { FrameReader };
