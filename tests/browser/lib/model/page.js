'use strict';

const { ClientTab } = require('../client-tab');

/** What a page must not do: more than an error of the test itself. */
class Violation extends Error {}

const keyOf = (requested, number) => `${requested} ${number}`;

/** One page, what it is expected to hear, and what it has heard. Events are known by their numbers. */
class Page {
  isFrozen = false;
  isHidden = false;
  isKept = false; // for "back"
  isStale = false; // another user logged in, or out, since it began
  #must = new Set(); // keys of events that it has to hear
  #topics = new Map(); // requested topic: whether it is in force
  #got = new Set(); // keys
  #newest = 0;
  #read = 0; // of what the page keeps

  static async open(device, name, options) {
    const page = new Page();
    Object.assign(page, { device, name });
    page.client = await ClientTab.create(device.profile, device.site);
    await page.begin(options);
    return page;
  }

  /** Loads the page, anew perhaps, for the user of now. */
  async begin(options) {
    const { device } = this;
    this.user = device.user;
    Object.assign(this, { isFrozen: false, isHidden: false, isKept: false, isStale: false });
    this.options = options;
    this.#must.clear();
    this.#got.clear();
    this.#topics.clear();
    this.#newest = this.#read = 0;
    const bound = this.user !== undefined;
    const topics = ['news', ...(bound ? [{ topic: '@USER@', binded: true }] : [])];
    await this.client.begin({ url: device.url, topics, ...(bound && { user: this.user }), ...options }, { bound });
    for (const topic of topics) this.#topics.set(topic.topic ?? topic, false);
    await this.client.evaluate((names) => {
      window.inForce = {};
      client.ready().then((isReady) => isReady && names.forEach((name) => (inForce[name] = true)));
    }, [...this.#topics.keys()]);
  }

  get canSpeak() {
    return !this.isFrozen && !this.isKept;
  }

  async subscribe(topic) {
    if (this.#topics.has(topic)) return;
    this.#topics.set(topic, false);
    await this.client.evaluate((name) => {
      inForce[name] = false;
      Promise.resolve(client.subscribe(name)).then((sub) => sub?.ready ?? sub).then(() => (inForce[name] = true));
    }, topic);
  }

  async unsubscribe(topic) {
    if (!this.#topics.delete(topic)) return;
    for (const key of this.#must) if (key.startsWith(`${topic} `)) this.#must.delete(key);
    await this.client.evaluate((name) => {
      delete inForce[name];
      client.unsubscribe(name);
    }, topic);
  }

  /** Topics that are known to be in force. A page that stands still is not asked. */
  async look() {
    if (!this.canSpeak) return;
    const inForce = await this.client.evaluate(() => window.inForce);
    for (const topic of this.#topics.keys()) this.#topics.set(topic, Boolean(inForce[topic]));
  }

  /** An event was published: `matches(requested)` says under which topics it comes. */
  expect({ number, user, matches }) {
    if (this.isStale || (user && user !== this.user)) return;
    for (const [topic, isInForce] of this.#topics) {
      if (isInForce && matches(topic)) this.#must.add(keyOf(topic, number));
    }
  }

  forget() {
    this.isStale = true;
    this.#must.clear();
  }

  /** Reads what it has heard since the last time, and says what is wrong with it. */
  async check(events) {
    const { heard, restored } = await this.client.evaluate((from) => ({ heard: heard.slice(from), restored }), this.#read);
    this.restored = restored;
    this.#read += heard.length;
    for (const { type, requested } of heard) {
      const number = Number(type.slice(1));
      const event = events[number];
      const what = `${type} by ${requested}`;
      const key = keyOf(requested, number);
      this.#allow(event && event.matches(requested), `heard ${what}, which it has not asked for`);
      this.#allow(!event.user || event.user === this.user, `is of ${this.user ?? 'nobody'} and heard ${what}, which is for ${event.user}`);
      this.#allow(!this.#got.has(key), `heard ${what} twice`);
      this.#allow(number >= this.#newest, `heard ${what} after e${this.#newest}`);
      this.#newest = number;
      this.#got.add(key);
      this.#must.delete(key);
    }
  }

  /** Resolves when it has heard all that it must, and all its topics are in force; or, when stale, does not claim to. */
  async settle(events, isOver) {
    for (;;) {
      await this.check(events);
      await this.look();
      const { state, transport, connid } = await this.client.evaluate(() => {
        const { state, transport, connid } = client;
        return { state, transport, connid };
      });
      this.said = `${state} by ${transport} as ${connid}`;
      const missing = [...this.#must];
      const waiting = [...this.#topics].filter(([, isInForce]) => !isInForce).map(([topic]) => topic);
      if (missing.length === 0 && (this.isStale || waiting.length === 0)) return;
      if (isOver()) {
        const errors = await this.client.evaluate(() => [...errors.slice(-5), ...faults.slice(-5)]);
        const more = `it says ${this.said}; errors: ${errors.join('; ') || 'none'}`;
        this.#allow(missing.length === 0, `did not hear ${missing.map((key) => key.replace(/ (\d+)$/, ' e$1'))}; ${more}`);
        this.#allow(false, `waits for ${waiting} to be in force; ${more}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #allow(isRight, what) {
    if (!isRight) throw new Violation(`${this.name} ${what}`);
  }
}

module.exports = { Page, Violation };
