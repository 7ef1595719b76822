// A figure with its last minutes, drawn in the colours of the page.
const MOST = 120;

export class Tile {
  #values = [];

  constructor(parent, key) {
    this.key = key;
    this.element = document.createElement('div');
    this.element.className = 'tile';
    this.label = document.createElement('span');
    this.figure = document.createElement('b');
    this.canvas = document.createElement('canvas');
    this.canvas.setAttribute('aria-hidden', 'true');
    this.element.append(this.label, this.figure, this.canvas);
    parent.append(this.element);
  }

  show(value, text) {
    this.figure.textContent = text;
    this.#values.push(value);
    if (this.#values.length > MOST) {
      this.#values.shift();
    }
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio];
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext('2d');
    const most = Math.max(...this.#values, 1e-9);
    const at = (value, i) => [(i / (MOST - 1)) * width, height - 2 - (value / most) * (height - 4)];
    context.strokeStyle = getComputedStyle(this.element).getPropertyValue('--accent');
    context.lineWidth = 2 * devicePixelRatio;
    context.lineJoin = 'round';
    context.beginPath();
    this.#values.forEach((value, i) => context.lineTo(...at(value, i + MOST - this.#values.length)));
    context.stroke();
  }
}
