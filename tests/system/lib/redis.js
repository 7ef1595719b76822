'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { tool } = require('./paths');
const { Program, run } = require('./program');
const { pause } = require('./wait');

/** What Redis has to say of its keys, so that logging out ends streams. */
const NOTIFICATIONS = 'K$gxe';

/** A Redis of a test's own, on a Unix socket in its folder, and PHP that keeps its sessions there. */
class Redis {
  static async start(folder, { words = ['--notify-keyspace-events', NOTIFICATIONS] } = {}) {
    const redis = new Redis();
    redis.folder = path.join(folder, 'redis');
    redis.socket = path.join(redis.folder, 'redis.sock');
    redis.url = `unix:${redis.socket}`;
    redis.words = words;
    fs.mkdirSync(redis.folder);
    await redis.start();
    return redis;
  }

  async start() {
    this.program = new Program(
      'redis-server',
      [
        tool('redis-server', 'redis-server'),
        ...['--port', '0', '--unixsocket', this.socket, '--dir', this.folder, '--save', '', '--appendonly', 'no'],
        ...this.words,
      ],
      { log: path.join(this.folder, 'redis.log') },
    );
    await this.program.until('Redis answers', async () => (await this.#cli('PING')).stdout.trim() === 'PONG');
  }

  /** The same at another socket, a line to this one for instance. */
  cliAt(socket, ...words) {
    return run([tool('redis-cli', 'redis-tools'), '-s', socket, ...words]);
  }

  #cli(...words) {
    return run([tool('redis-cli', 'redis-tools'), '-s', this.socket, ...words]);
  }

  /** A command; gives what redis-cli prints. `input`: several commands, one a line. */
  async cli(...words) {
    const ended = await this.#cli(...words);
    if (ended.code !== 0 || /^(ERR|WRONGTYPE|NOAUTH)/.test(ended.stdout)) {
      throw new Error(`redis-cli ${words.join(' ')}: ${ended.stdout}${ended.stderr}`);
    }
    return ended.stdout.trim();
  }

  /** Several commands in one transaction. */
  async together(...commands) {
    const ended = await run([tool('redis-cli', 'redis-tools'), '-s', this.socket], {
      input: ['MULTI', ...commands, 'EXEC', ''].join('\n'),
    });
    if (ended.code !== 0 || /ERR/.test(ended.stdout)) {
      throw new Error(`redis-cli: ${ended.stdout}${ended.stderr}`);
    }
  }

  /** The words with which PHP keeps its sessions here; `code` is what a page does with its session open. */
  php(id, code, { settings = {} } = {}) {
    const all = {
      'session.save_handler': 'redis',
      'session.save_path': `unix://${this.socket}`,
      'session.use_cookies': '0',
      'session.use_strict_mode': '0',
      'session.cache_limiter': '',
      ...settings,
    };
    const words = Object.entries(all).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
    return [tool('php', 'php-cli'), ...words, '-r', `session_id('${id}'); session_start(); ${code}`];
  }

  /** A page of the session `id`. */
  async page(id, code, options) {
    const ended = await run(this.php(id, code, options));
    if (ended.code !== 0 || ended.stderr !== '' || ended.stdout !== '') {
      throw new Error(`PHP: ${ended.stdout}${ended.stderr}`);
    }
  }

  /** Ends it without a word, and starts it again after a while. */
  async killMaster(outageMs) {
    await this.program.end('SIGKILL');
    await pause(outageMs);
    await this.start();
  }

  async stop() {
    if (this.program?.isRunning) {
      await this.program.end();
    }
  }
}

module.exports = { NOTIFICATIONS, Redis };
