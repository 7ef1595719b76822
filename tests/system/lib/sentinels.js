'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('./ports');
const { tool } = require('./paths');
const { Program, run } = require('./program');
const { pause, until } = require('./wait');

const NAME = 'mymaster';
const DOWN_AFTER_MS = 1000;

/** A master with replicas, and sentinels that put another in its place when it is away. */
class Sentinels {
  servers = []; // {port, folder, program}
  sentinels = []; // {port, program}

  static async start(folder, { replicas = 2, count = 3 } = {}) {
    const all = new Sentinels();
    all.folder = path.join(folder, 'redis');
    fs.mkdirSync(all.folder);
    for (let i = 0; i <= replicas; i++) {
      await all.#addServer(i);
    }
    await until('replicas follow', async () => (await all.#info(all.servers[0].port)).includes(`connected_slaves:${replicas}`));
    for (let i = 0; i < count; i++) {
      await all.#addSentinel(i, Math.floor(count / 2) + 1);
    }
    await until('sentinels know each other', async () => {
      const told = await Promise.all(all.sentinels.map(({ port }) => all.#cli(port, 'SENTINEL', 'MASTER', NAME)));
      return told.every((text) => new RegExp(`num-slaves\\s+${replicas}\\s`).test(text) && new RegExp(`num-other-sentinels\\s+${count - 1}\\s`).test(text));
    });
    all.url = `redis://127.0.0.1:${all.servers[0].port}/0`;
    all.config = { url: all.url, sentinels: all.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(' ') };
    return all;
  }

  async #cli(port, ...words) {
    return (await run([tool('redis-cli', 'redis-tools'), '-p', String(port), ...words])).stdout;
  }

  #info(port) {
    return this.#cli(port, 'INFO', 'replication');
  }

  async #addServer(index) {
    const server = { port: await freePort(), folder: path.join(this.folder, `server${index}`), index };
    fs.mkdirSync(server.folder);
    this.servers.push(server);
    await this.#startServer(server, index > 0 ? this.servers[0].port : undefined);
  }

  async #startServer(server, master) {
    const words = ['--bind', '127.0.0.1', '--port', String(server.port), '--dir', server.folder, '--save', ''];
    const kept = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];
    const follows = master ? ['--replicaof', '127.0.0.1', String(master)] : [];
    server.program = new Program(`redis-server-${server.index}`, [tool('redis-server', 'redis-server'), ...words, ...kept, ...follows], {
      log: path.join(this.folder, `server${server.index}.log`),
    });
    await server.program.until('Redis answers', async () => (await this.#cli(server.port, 'PING')).trim() === 'PONG');
  }

  async #addSentinel(index, quorum) {
    const port = await freePort();
    const file = path.join(this.folder, `sentinel${index}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${this.folder}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${this.servers[0].port} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${NAME} 4000`,
    ];
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const program = new Program(`sentinel-${index}`, [tool('redis-server', 'redis-server'), file, '--sentinel'], {
      log: path.join(this.folder, `sentinel${index}.log`),
    });
    this.sentinels.push({ port, program });
    await program.until('the sentinel answers', async () => (await this.#cli(port, 'PING')).trim() === 'PONG');
  }

  async master() {
    const [, port] = (await this.#cli(this.sentinels[0].port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)).trim().split(/\s+/);
    return this.servers.find((server) => server.port === Number(port));
  }

  /** Ends the master without a word, waits until another one is it, and starts it again, as which it finds out. */
  async killMaster(outageMs) {
    const killed = await this.master();
    await killed.program.end('SIGKILL');
    const next = await until('another one is master', async () => {
      const master = await this.master();
      return master !== killed && master;
    });
    await pause(outageMs);
    await this.#startServer(killed, next.port);
    // Else the next one that is killed may have had nobody that follows it.
    await until('both follow', async () => (await this.#info(next.port)).includes(`connected_slaves:${this.servers.length - 1}`));
  }

  async stop() {
    for (const { program } of [...this.sentinels, ...this.servers]) {
      if (program.isRunning) {
        await program.end();
      }
    }
  }
}

module.exports = { Sentinels, startSentinels: (folder) => Sentinels.start(folder) };
