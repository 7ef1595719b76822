'use strict';

// The parts that a walk moves: a broker behind nginx, and for each walk two devices with a line of their own to it.

const { Bound } = require('../../../system/lib/bound');
const { until } = require('../../../system/lib/wait');
const { Line } = require('../../../lib/line');
const { launch } = require('../browsers');
const { Site } = require('../site');
const { Page } = require('./page');

const USERS = ['ana', 'luis'];
const SETTLE_MS = 40_000; // generous: far more than any wait of the client with the options of below
const CLIENT = { backoff: 50, maxBackoff: 500, silence: 4000 };

const CONFIG = {
  fanout: { keep_alive: '1s', retry_time: '200ms', stop_spread: '0s', poll_time: '2s' },
  log: { path: 'recent.log', sync: 'always' },
};

/** A browser's profile with a line to the broker, and who is logged in there. */
class Device {
  pages = [];

  static async start(world, name) {
    const device = new Device();
    Object.assign(device, { name, site: world.site });
    device.line = await Line.start(world.bound.web.port);
    device.url = `${device.line.url}/notify/`;
    device.profile = await world.browser.newProfile();
    device.desk = await device.profile.openTab(); // where its user logs in
    return device;
  }

  async login(user) {
    await this.desk.goto(this.site.login(user));
    if (user === this.user) return;
    this.user = user;
    for (const page of this.pages) page.forget();
  }

  async stop() {
    try {
      await this.profile.close();
    } finally {
      await this.line.stop();
    }
  }
}

class World {
  devices = [];
  events = []; // by number: {number, topic, user, matches}
  #browserName;
  #names = 0;

  static async start(browserName) {
    const world = new World();
    world.#browserName = browserName;
    try {
      world.bound = await Bound.start({ config: CONFIG });
      for (const user of USERS) {
        await world.bound.add(`for/${user}`, { owner: user });
        await world.bound.esnctl('follow', `for/${user}`, user);
      }
      world.site = await Site.start();
      world.browser = await launch(browserName);
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async begin() {
    this.events = [undefined];
    this.devices = [await Device.start(this, 'phone'), await Device.start(this, 'desk')];
    this.#names = 0;
  }

  /** Ends a walk. With `isClean` nothing may be left with the daemon; without it a browser need not answer any more. */
  async end(isClean) {
    const ends = await Promise.allSettled(this.devices.map((device) => device.stop()));
    this.devices = [];
    if (!isClean) return;
    for (const { reason } of ends) if (reason) throw reason;
    await this.bound.stack.untilTotal(0);
  }

  /** Another browser takes the place of one that does not answer. */
  async replaceBrowser() {
    await this.browser.close('SIGKILL');
    this.browser = await launch(this.#browserName);
    await this.bound.stack.untilTotal(0);
  }

  get pages() {
    return this.devices.flatMap(({ pages }) => pages);
  }

  async open(device, options) {
    const page = await Page.open(device, `${device.name}-${++this.#names}`, { ...CLIENT, ...options });
    device.pages.push(page);
    return page;
  }

  reload(page, options) {
    return page.begin({ ...CLIENT, ...options });
  }

  async close(page) {
    const { pages } = page.device;
    pages.splice(pages.indexOf(page), 1);
    await page.client.close();
  }

  /** Publishes on an open topic, or for a user; through all outages. */
  async publish(topic, user) {
    const number = this.events.length;
    const matches = user ? (asked) => asked === '@USER@' : (asked) => asked === topic || (asked === 'extra/#' && topic.startsWith('extra/'));
    const event = { number, topic, user, matches };
    await Promise.all(this.pages.map((page) => page.look()));
    this.events.push(event);
    for (const page of this.pages) page.expect(event);
    const point = user ? { topic: `for/${user}`, binded: true, targeted: true } : topic;
    const id = `walk ${this.walk} ${number}`;
    await until(`e${number} is published`, async () => {
      const answer = await this.bound.post(point, { as: user, type: `e${number}`, id });
      this.lastAnswer = answer.text;
      return answer.status === 200;
    });
  }

  async restartDaemon(signal) {
    await this.bound.stack.daemon.end(signal);
    await this.bound.stack.startDaemon();
  }

  restartProxy() {
    return this.bound.web.restartServer();
  }

  /** Everything is well again: each page has to hear what it missed, and what is published now. */
  async settle() {
    for (const { line } of this.devices) {
      await line.up();
      line.flow();
    }
    for (const page of this.pages) await this.wake(page);
    for (const [topic, user] of [['news'], ...USERS.map((user) => [undefined, user])]) await this.publish(topic, user);
    const end = performance.now() + SETTLE_MS;
    await Promise.all(this.pages.map((page) => page.settle(this.events, () => performance.now() > end)));
  }

  /** The page is shown, whatever it was. One that its browser has not kept begins anew. */
  async wake(page) {
    if (page.isFrozen) await page.client.tab.thaw();
    if (page.isKept) await this.back(page);
    if (page.isHidden) await page.client.tab.show();
    page.isFrozen = page.isHidden = false;
  }

  async back(page) {
    await page.client.tab.back();
    page.isKept = false;
    const isRestored = await page.client.evaluate(() => restored > 0 && Boolean(window.client));
    if (!isRestored) await page.begin(page.options);
    await page.client.evaluate(() => (restored = 0));
  }

  async stop() {
    await this.browser?.close();
    this.site?.stop();
    await this.bound?.stop();
  }
}

module.exports = { World, USERS };
