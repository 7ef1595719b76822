'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('./ports');
const { tool } = require('./paths');
const { Program, run } = require('./program');

const NAME = 'notify';

/** A Redis with replicas over TCP, and a sentinel that makes one of them the master when that is gone. */
class SentinelSet {
  static async start(folder, { replicas = 2, words = [] } = {}) {
    const set = new SentinelSet();
    set.folder = folder;
    set.words = words;
    set.servers = [await set.#startServer('master')];
    for (let i = 0; i < replicas; i++) {
      set.servers.push(await set.#startServer(`replica-${i}`, ['--replicaof', '127.0.0.1', String(set.servers[0].port)]));
    }
    const [master] = set.servers;
    await master.program.until('all replicas follow', async () => {
      const states = (await set.cli(master.port, 'INFO', 'replication')).match(/state=online/g);
      return states?.length === replicas;
    });
    await set.#startSentinel();
    return set;
  }

  async #startServer(name, more = []) {
    const port = await freePort();
    const own = path.join(this.folder, name);
    fs.mkdirSync(own);
    const program = new Program(
      name,
      [
        tool('redis-server', 'redis-server'),
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', own, '--save', '', '--repl-diskless-sync-delay', '0'],
        ...this.words,
        ...more,
      ],
      { log: path.join(own, 'log') },
    );
    await program.until(`${name} answers`, async () => (await this.cli(port, 'PING')) === 'PONG');
    return { name, port, program };
  }

  async #startSentinel() {
    this.port = await freePort();
    const file = path.join(this.folder, 'sentinel.conf');
    const lines = [
      `port ${this.port}`,
      'bind 127.0.0.1',
      `dir ${this.folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${this.servers[0].port} 1`,
      `sentinel down-after-milliseconds ${NAME} 500`,
      `sentinel failover-timeout ${NAME} 10000`,
    ];
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const log = path.join(this.folder, 'sentinel.log');
    this.sentinel = new Program('sentinel', [tool('redis-server', 'redis-server'), file, '--sentinel'], { log });
    await this.sentinel.until('the sentinel knows the replicas', async () => {
      const text = await this.cli(this.port, 'SENTINEL', 'replicas', NAME);
      return (text.match(/^runid$/gm)?.length ?? 0) === this.servers.length - 1;
    });
  }

  async cli(port, ...words) {
    return (await run([tool('redis-cli', 'redis-tools'), '-p', String(port), ...words])).stdout.trim();
  }

  /** As the sentinel sees it now. */
  async master() {
    const [, port] = (await this.cli(this.port, 'SENTINEL', 'get-master-addr-by-name', NAME)).split('\n');
    return this.servers.find((server) => String(server.port) === port);
  }

  /** Kills the master; gives the one that takes its place. */
  async failOver() {
    const old = await this.master();
    await old.program.end('SIGKILL');
    return this.sentinel.until('another one is master', async () => {
      const now = await this.master();
      return now && now !== old && now;
    });
  }

  /** The keys of [redis] that find it. */
  get config() {
    return { url: 'redis://127.0.0.1:1/0', sentinels: `127.0.0.1:1 127.0.0.1:${this.port}`, sentinel_master: NAME };
  }

  async stop() {
    await this.sentinel?.end('SIGKILL');
    await Promise.all(this.servers.map(({ program }) => program.isRunning && program.end('SIGKILL')));
  }
}

module.exports = { SentinelSet };
