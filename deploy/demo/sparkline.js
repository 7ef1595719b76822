// A line through the last values, the newest at its right end, and the area below it.

const HEIGHT = 20; // of the drawing's own units, as are the steps from value to value

export class Sparkline {
  #steps;
  #area = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  #line = this.#area.cloneNode();

  /** `drawing` is an svg element, `count` how many values there can be. */
  constructor(drawing, count) {
    this.#steps = count - 1;
    drawing.setAttribute('viewBox', `0 0 ${this.#steps} ${HEIGHT}`);
    drawing.setAttribute('preserveAspectRatio', 'none');
    this.#area.setAttribute('class', 'area');
    this.#line.setAttribute('class', 'line');
    drawing.append(this.#area, this.#line);
  }

  /** What is above `top` is drawn there. */
  draw(values, top) {
    if (values.length === 0) return;
    const first = this.#steps - values.length + 1;
    const height = (value) => (HEIGHT - 1 - (Math.min(value, top) * (HEIGHT - 2)) / top).toFixed(2);
    const points = values.map((value, step) => `${first + step},${height(value)}`).join('L');
    this.#line.setAttribute('d', `M${points}`);
    this.#area.setAttribute('d', `M${first},${HEIGHT}L${points}L${this.#steps},${HEIGHT}Z`);
  }
}
