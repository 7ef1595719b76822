'use strict';

const { send } = require('./secure');
const { until, within } = require('./wait');

/**
 * A held stream of Server-Sent Events, read by the rules of the HTML standard (section 9.2.6) as far as they can matter
 * here. Follows redirections, as EventSource does.
 */
class EventStream {
  events = []; // {id, type, json}
  retry; // milliseconds, as told last
  comments = 0;
  isOver = false;
  endedCleanly = false;
  #text = '';
  #block = {};

  static async open(url, { headers = {}, method = 'GET', body } = {}) {
    const stream = new EventStream();
    await within(`the events of ${url}`, stream.#start(url, { method, headers: { Accept: 'text/event-stream', ...headers } }, body));
    await stream.until('connected', () => stream.events.length > 0);
    return stream;
  }

  #start(url, options, body) {
    return new Promise((resolve, reject) => {
      const sent = send(url, { agent: false, ...options }, (response) => {
        if ([303, 307].includes(response.statusCode)) {
          response.resume();
          const next = response.statusCode === 303 ? { ...options, method: 'GET' } : options;
          this.#start(new URL(response.headers.location, url), next, response.statusCode === 303 ? undefined : body).then(resolve, reject);
          return;
        }
        if (response.statusCode !== 200) {
          sent.destroy();
          reject(new Error(`answered ${response.statusCode} ${response.statusMessage}`));
          return;
        }
        this.headers = response.headers;
        this.rawHeaders = response.rawHeaders;
        response.setEncoding('utf8');
        response.on('data', (text) => this.#take(text));
        response.on('error', () => {});
        response.on('close', () => {
          this.isOver = true;
          this.endedCleanly = response.complete;
        });
        resolve();
      });
      this.sent = sent;
      sent.on('error', reject);
      sent.end(body);
    });
  }

  #take(text) {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop();
    lines.forEach((line) => this.#line(line));
  }

  #line(line) {
    if (line === '') {
      if (this.#block.data !== undefined) {
        const { id, event = 'message', data } = this.#block;
        this.events.push({ id, type: event, json: JSON.parse(data) });
      }
      this.#block = {};
    } else if (line.startsWith(':')) {
      this.comments++;
    } else {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === 'retry') {
        this.retry = Number(value);
      } else {
        this.#block[name] = value;
      }
    }
  }

  get connected() {
    return this.events[0].json.e.detail;
  }

  until(what, condition) {
    return until(what, condition);
  }

  /** Waits for the first event of this type that was not taken yet, and takes all up to it. */
  async takeUntil(type) {
    const find = () => this.events.findIndex((event) => event.json.e.type === type);
    await until(`an event of type ${type}`, () => find() >= 0);
    return this.events.splice(0, find() + 1);
  }

  close() {
    this.sent.destroy();
  }
}

module.exports = { EventStream };
