// Events a second: the last full second as a figure, the last minute as a line.

import { Sparkline } from './sparkline.js';

const SECONDS = 60;

export class Rate {
  #seconds = new Array(SECONDS).fill(0);
  #now = 0;
  #figure;
  #most;
  #sparkline;

  constructor({ figure, most, drawing }) {
    this.#figure = figure;
    this.#most = most;
    this.#sparkline = new Sparkline(drawing, SECONDS);
    this.#draw();
    setInterval(() => this.#nextSecond(), 1000);
  }

  count() {
    this.#now++;
  }

  #nextSecond() {
    this.#seconds.shift();
    this.#seconds.push(this.#now);
    this.#now = 0;
    this.#draw();
  }

  #draw() {
    const most = Math.max(...this.#seconds);
    this.#figure.textContent = this.#seconds.at(-1);
    this.#most.textContent = most;
    this.#sparkline.draw(this.#seconds, Math.max(most, 4));
  }
}
