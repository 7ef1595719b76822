// One way in, on its card: how it is, how long its last events took, what it heard and what it missed.

import { Sparkline } from '../sparkline.js';
import { number, word } from '../words.js';

const KEPT = 100; // latencies
const ENOUGH = 10; // latencies for a percentile to mean something
const KNOWN = ['connected', 'connecting'];

function inMilliseconds(time) {
  const digits = time < 100 ? 1 : 0;
  return number(time, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The value below which this share of the values is; undefined while there are too few. */
export function percentile(values, share) {
  if (values.length < ENOUGH) return undefined;
  return values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1];
}

export const inWords = (time) => (time === undefined ? '–' : inMilliseconds(time));

export class Way {
  #part;
  #sparkline;
  #state = 'connecting';
  #connections = 0;
  #firstConnected = Infinity; // times of performance.now()
  #lastConnected = Infinity;
  #arrived = new Map(); // number of a probe that PHP has not told of yet: when it came
  #latencies = []; // the broker's share of each
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
    this.#part('state').dataset.state = KNOWN.includes(state) ? state : 'waiting';
    this.#part('state').textContent = word(KNOWN.includes(state) ? state : 'interrupted');
  }

  get isConnected() {
    return this.#state === 'connected';
  }

  /** The event of a probe came. */
  hear(probe) {
    this.#heard++;
    if (probe.emittedAt === undefined) this.#arrived.set(probe, performance.now());
    else this.#measure(probe, performance.now());
  }

  /** PHP says when it has emitted the event of a probe. */
  expect(probe) {
    if (probe.postedAt > this.#firstConnected) this.#expected++;
    if (this.#arrived.has(probe)) this.#measure(probe, this.#arrived.get(probe));
    this.#arrived.delete(probe);
  }

  /** What was posted while the way was cut says nothing about latency. */
  #measure({ postedAt, emittedAt }, arrivedAt) {
    if (postedAt < this.#lastConnected) return;
    this.#latencies = [...this.#latencies.slice(1 - KEPT), Math.max(0, arrivedAt - emittedAt)];
  }

  weigh(bytes, events) {
    this.#bytes += bytes;
    this.#weighed += events;
  }

  get worst() {
    return percentile(this.#latencies, 0.99) ?? 0;
  }

  get median() {
    return percentile(this.#latencies, 0.5);
  }

  /** `top`: milliseconds at the upper edge of the drawing; `before`: those that web server and PHP took, the median. */
  show(top, before) {
    const show = (name, value) => (this.#part(name).textContent = value);
    const missed = Math.max(0, this.#expected - this.#heard);
    show('heard', number(this.#heard));
    show('missed', missed);
    show('reconnections', Math.max(0, this.#connections - 1));
    this.#part('missed').dataset.result = missed > 0 ? 'bad' : 'good';
    if (this.#bytes > 0) show('bytes', number(Math.round(this.#bytes / this.#weighed)));
    show('kept', this.#latencies.length);
    show('median', inWords(this.median));
    show('before', `${inWords(before)} ms`);
    show('worst', this.median === undefined ? '–' : `${inWords(this.worst)} ms`);
    if (this.#latencies.length === 0) return;
    this.#sparkline.draw(this.#latencies, top);
  }
}
