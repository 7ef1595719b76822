'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { build } = require('./paths');
const { Program } = require('./program');
const { until } = require('./wait');

const PEER = path.join(build, 'tests/system/tools/bus_peer');

/** Either end of the bus (tests/system/tools/bus_peer.c). `lines`: what it has told, as objects. */
class BusPeer {
  static #count = 0;

  /** config: sections of the configuration, [redis] url among them. */
  static async start(folder, kind, config, words = []) {
    const peer = new BusPeer();
    const name = `${kind}-${BusPeer.#count++}`;
    const file = path.join(folder, `${name}.conf`);
    peer.file = file;
    const text = Object.entries({ ...config, bus: { engine: 'redis', ...config.bus } })
      .map(([section, keys]) => `[${section}]\n${Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join('')}`)
      .join('');
    fs.writeFileSync(file, text);
    peer.program = new Program(name, [PEER, file, kind, ...words.map(String)], { log: path.join(folder, `${name}.log`), stdin: 'pipe' });
    peer.program.stdin.on('error', () => {});
    peer.taken = 0;
    return peer;
  }

  /** Starts it and waits until it is ready. */
  static async ready(...words) {
    const peer = await BusPeer.start(...words);
    peer.facts = await peer.find((line) => line.ready);
    return peer;
  }

  get lines() {
    const whole = this.program.output().split('\n').slice(0, -1);
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** The first line like this, when it has been told. */
  find(isIt, what = isIt) {
    return this.program.until(`it tells ${what}`, () => this.lines.find(isIt));
  }

  news(kind, more = {}) {
    const isIt = (line) => line.news === kind && Object.entries(more).every(([key, value]) => line[key] === value);
    return this.find(isIt, `${kind} ${JSON.stringify(more)}`);
  }

  /** Events that came while it served, or with `past` those of before, as topic:text. */
  events({ past = false, value = false } = {}) {
    return this.lines
      .filter((line) => line.kind === 'event' && line.past === past && line.value === value)
      .map(({ topic, e }) => `${topic}:${e}`);
  }

  say(text) {
    this.program.stdin.write(`${text}\n`);
  }

  /** Says something and gives the next answer. */
  async ask(text) {
    const before = this.lines.length;
    this.say(text);
    return this.program.until(`an answer to ${text}`, () => this.lines[before]);
  }

  /** Publishes; each event is [topic, text, {key, rate, flags}]. */
  publish(events, { limit = 60000 } = {}) {
    const words = events.map(([topic, text, { key = '', rate = '', flags = '' } = {}]) => [topic, text, key, rate, flags].join(','));
    return this.ask(`publish ${limit} ${words.join(' ')}`);
  }

  kill() {
    return this.program.end('SIGKILL');
  }

  /** Of a node: takes its leave. */
  async leave() {
    this.say('leave');
    await until(`${this.program.name} has left`, () => !this.program.isRunning);
  }

  /** Ends as a program does whose streams another one takes over. */
  async end() {
    this.program.stdin.end();
    await until(`${this.program.name} has ended`, () => !this.program.isRunning);
  }
}

module.exports = { BusPeer };
