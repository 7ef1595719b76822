// One way in, on its card: how it is, how long its last events took, what it heard and what it missed.

import { Sparkline } from '../sparkline.js';

const KEPT = 100; // latencies
const WORDS = { connected: 'Connected', connecting: 'Connecting' };

function inMilliseconds(time) {
  const digits = time < 100 ? 1 : 0;
  return time.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export class Way {
  #part;
  #sparkline;
  #state = 'connecting';
  #connections = 0;
  #firstConnected = Infinity; // times of performance.now()
  #lastConnected = Infinity;
  #latencies = [];
  #sorted = [];
  #heard = 0;
  #expected = 0;
  #bytes = 0;
  #weighed = 0; // events whose bytes are known

  constructor(card) {
    this.#part = (name) => card.querySelector(`.${name}`);
    this.#sparkline = new Sparkline(this.#part('sparkline'), KEPT);
  }

  /** The code that listens says how it goes. */
  tell(state) {
    const isConnected = state === 'connected';
    if (isConnected && this.#state !== 'connected') {
      this.#lastConnected = performance.now();
      this.#firstConnected = Math.min(this.#firstConnected, this.#lastConnected);
      this.#connections++;
    }
    this.#state = state;
    this.#part('state').dataset.state = state in WORDS ? state : 'waiting';
    this.#part('state').textContent = WORDS[state] ?? 'Interrupted';
  }

  /** An event came whose probe was posted then. One that was posted while the way was cut says nothing about latency. */
  hear(postedAt) {
    this.#heard++;
    if (postedAt < this.#lastConnected) return;
    this.#latencies = [...this.#latencies.slice(1 - KEPT), performance.now() - postedAt];
    this.#sorted = this.#latencies.toSorted((a, b) => a - b);
  }

  /** PHP says that it has emitted the event of the probe that was posted then. */
  expect(postedAt) {
    if (postedAt > this.#firstConnected) this.#expected++;
  }

  weigh(bytes, events) {
    this.#bytes += bytes;
    this.#weighed += events;
  }

  #percentile(share) {
    return this.#sorted[Math.ceil(share * this.#sorted.length) - 1] ?? 0;
  }

  get worst() {
    return this.#percentile(0.99);
  }

  /** `top`: milliseconds at the upper edge of the drawing. */
  show(top) {
    const show = (name, value) => (this.#part(name).textContent = value);
    const missed = Math.max(0, this.#expected - this.#heard);
    show('heard', this.#heard.toLocaleString('en'));
    show('missed', missed);
    show('reconnections', Math.max(0, this.#connections - 1));
    this.#part('missed').dataset.result = missed > 0 ? 'bad' : 'good';
    if (this.#bytes > 0) show('bytes', Math.round(this.#bytes / this.#weighed).toLocaleString('en'));
    if (this.#latencies.length === 0) return;
    show('median', inMilliseconds(this.#percentile(0.5)));
    show('worst', `${inMilliseconds(this.worst)} ms`);
    show('kept', this.#latencies.length);
    this.#sparkline.draw(this.#latencies, top);
  }
}
