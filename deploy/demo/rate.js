// Events a second: the last full second as a figure, the last minute as a line.

const SECONDS = 60;
const HEIGHT = 20; // of the drawing's own units

export class Rate {
  #seconds = new Array(SECONDS).fill(0);
  #now = 0;
  #figure;
  #most;
  #line;
  #area;

  constructor({ figure, most, drawing }) {
    this.#figure = figure;
    this.#most = most;
    this.#line = drawing.querySelector('.line');
    this.#area = drawing.querySelector('.area');
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
    const scale = (HEIGHT - 2) / Math.max(most, 4);
    const points = this.#seconds.map((events, second) => `${second},${(HEIGHT - 1 - events * scale).toFixed(2)}`);
    this.#figure.textContent = this.#seconds.at(-1);
    this.#most.textContent = most;
    this.#line.setAttribute('d', `M${points.join('L')}`);
    this.#area.setAttribute('d', `M0,${HEIGHT}L${points.join('L')}L${SECONDS - 1},${HEIGHT}Z`);
  }
}
