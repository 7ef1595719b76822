'use strict';

// A walk: acts that a seed decides. What an act is about is chosen among what is there, by its numbers; where there is nothing
// it does nothing. So any part of a walk is one, and a failure can be made short.

const { randomOf } = require('./random');
const { USERS } = require('./world');

const PAGES_OF_A_DEVICE = 4;
const TOPICS = ['extra/1', 'extra/2', 'extra/#'];
const OPTIONS = [{}, {}, {}, { transports: ['ws'] }, { transports: ['frames'] }, { transports: ['sse'] }, { transports: ['poll'] }, { hiddenTime: 100 }];

const pick = (list, number) => list[Math.floor(number * list.length)];

/** A page that can do something, by a number. */
const awake = (world, number) => pick(world.pages.filter((page) => page.canSpeak), number);

/** Each: how often, and what it does with the world and two numbers; gives words, or nothing when it did nothing. */
const acts = {
  async open(world, a, b) {
    const device = pick(world.devices, a);
    if (device.pages.length >= PAGES_OF_A_DEVICE) return undefined;
    const options = pick(OPTIONS, b);
    const { name } = await world.open(device, options);
    return `${name} for ${device.user ?? 'nobody'} ${JSON.stringify(options)}`;
  },
  async close(world, a) {
    const page = pick(world.pages, a);
    if (!page) return undefined;
    if (page.canSpeak) await page.check(world.events);
    await world.close(page);
    return page.name;
  },
  async reload(world, a, b) {
    const page = awake(world, a);
    if (!page) return undefined;
    await page.check(world.events);
    await world.reload(page, pick(OPTIONS, b));
    page.isHidden = false;
    return `${page.name} for ${page.user ?? 'nobody'}`;
  },
  async freeze(world, a) {
    const page = pick(world.pages.filter(({ canSpeak, isHidden }) => canSpeak && !isHidden), a);
    if (!page) return undefined;
    await page.client.tab.freeze();
    page.isFrozen = true;
    return page.name;
  },
  async thaw(world, a) {
    const page = pick(world.pages.filter(({ isFrozen }) => isFrozen), a);
    if (!page) return undefined;
    await world.wake(page);
    return page.name;
  },
  async hide(world, a) {
    const page = pick(world.pages.filter(({ canSpeak, isHidden }) => canSpeak && !isHidden), a);
    if (!page) return undefined;
    await page.client.tab.hide();
    page.isHidden = true;
    return page.name;
  },
  async show(world, a) {
    const page = pick(world.pages.filter(({ canSpeak, isHidden }) => canSpeak && isHidden), a);
    if (!page) return undefined;
    await world.wake(page);
    return page.name;
  },
  async leave(world, a) {
    const page = pick(world.pages.filter(({ canSpeak, isHidden }) => canSpeak && !isHidden), a);
    if (!page) return undefined;
    await page.check(world.events);
    await page.client.tab.goto(world.site.blank);
    page.isKept = true;
    return page.name;
  },
  async back(world, a) {
    const page = pick(world.pages.filter(({ isKept }) => isKept), a);
    if (!page) return undefined;
    await world.back(page);
    return page.name;
  },
  async login(world, a, b) {
    const device = pick(world.devices, a);
    await device.login(pick(USERS, b));
    return `${device.user} on ${device.name}`;
  },
  async logout(world, a) {
    const device = pick(world.devices, a);
    await device.login(undefined);
    return `on ${device.name}`;
  },
  async cut(world, a) {
    const device = pick(world.devices, a);
    device.line.cut();
    return device.name;
  },
  async down(world, a) {
    const device = pick(world.devices, a);
    await device.line.up();
    await device.line.down();
    return device.name;
  },
  async stand(world, a) {
    const device = pick(world.devices, a);
    device.line.stand();
    return device.name;
  },
  async up(world, a) {
    const device = pick(world.devices, a);
    await device.line.up();
    device.line.flow();
    return device.name;
  },
  async slow(world, a, b) {
    const device = pick(world.devices, a);
    device.line.delay = pick([0, 0, 50, 200], b);
    return `${device.name} ${device.line.delay} ms`;
  },
  async lose(world, a) {
    const device = pick(world.devices, a);
    device.line.loseAnswer(/^(GET|POST) /);
    return `the next answer to ${device.name}`;
  },
  async restartProxy(world) {
    await world.restartProxy();
    return '';
  },
  async restartDaemon(world, a) {
    const signal = pick(['SIGTERM', 'SIGKILL'], a);
    await world.restartDaemon(signal);
    return signal;
  },
  async subscribe(world, a, b) {
    const page = awake(world, a);
    if (!page) return undefined;
    const topic = pick(TOPICS, b);
    await page.subscribe(topic);
    return `${page.name} ${topic}`;
  },
  async unsubscribe(world, a, b) {
    const page = awake(world, a);
    if (!page) return undefined;
    const topic = pick(TOPICS, b);
    await page.unsubscribe(topic);
    return `${page.name} ${topic}`;
  },
  async publish(world, a, b) {
    const number = world.events.length;
    if (a < 0.4) await world.publish(undefined, pick(USERS, b));
    else await world.publish(pick(['news', 'extra/1', 'extra/2'], b));
    const { topic, user } = world.events[number];
    return `e${number} ${topic ?? `for ${user}`}`;
  },
  async pause(world, a) {
    await new Promise((resolve) => setTimeout(resolve, a * 1000));
    return `${Math.round(a * 1000)} ms`;
  },
  async settle(world) {
    await world.settle();
    return '';
  },
};

const WEIGHTS = { open: 8, publish: 30, subscribe: 4, pause: 5, settle: 3, login: 3, restartProxy: 1, restartDaemon: 1, up: 3, back: 3, show: 3, thaw: 3, lose: 2, slow: 1 };
const LENGTH = 40;

/** The acts of a seed: [name, a, b] each. Without `isCrowded` the first user is logged in all the time. */
function walkOf(seed, { isCrowded = true } = {}) {
  const random = randomOf(seed);
  const chosen = Object.keys(acts).filter((name) => isCrowded || !['login', 'logout'].includes(name));
  const names = chosen.flatMap((name) => Array(WEIGHTS[name] ?? 2).fill(name));
  const start = [['login', 0, isCrowded ? random() : 0], ['open', 0, random()], ['open', 0, random()]];
  return [...start, ...Array.from({ length: LENGTH }, () => [pick(names, random()), random(), random()])];
}

/** Walks; a Violation is thrown. `say(line)` tells each act. */
async function walk(world, list, say = () => {}) {
  world.walk = `${Date.now()} ${Math.random()}`;
  let isRight = false;
  await world.begin();
  try {
    for (const [name, a, b] of [...list, ['settle', 0, 0]]) {
      const words = await acts[name](world, a, b).catch((error) => {
        say(`${name}: ${error.message}`);
        throw error;
      });
      if (words !== undefined) say(`${name} ${words}`);
    }
    isRight = true;
  } finally {
    await world.end(isRight);
  }
}

module.exports = { walk, walkOf };
