'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { tool } = require('./paths');
const { Program, run } = require('./program');

/** A server that started as root wants to be told that it may. */
const asUser = () => (process.getuid() === 0 ? ['--user=root'] : []);

function answersOn(socket) {
  return new Promise((resolve) => {
    const probe = net.connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}

/**
 * A MariaDB of a test's own, in a folder and on a Unix socket. Its temporary tables are there too: a server that starts
 * removes all that it finds where it puts its own, those of others that run (mysql_rm_tmp_tables()).
 */
class MariaDb {
  /** durable: each commit is flushed to the disk before it is answered, as MariaDB does by default. */
  static async create(folder, { durable = false } = {}) {
    const server = new MariaDb();
    server.flush = durable ? 1 : 2;
    server.folder = path.join(folder, 'mariadb');
    server.socket = path.join(server.folder, 'socket');
    fs.mkdirSync(server.folder);
    fs.mkdirSync(server.tmp);
    const installed = await run([
      tool('mariadb-install-db', 'mariadb-server'),
      '--no-defaults',
      ...asUser(),
      `--datadir=${server.folder}/data`,
      `--tmpdir=${server.tmp}`,
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ]);
    if (installed.code !== 0) {
      throw new Error(`mariadb-install-db: ${installed.stdout}${installed.stderr}`);
    }
    await server.start();
    await server.sql('CREATE DATABASE notify CHARACTER SET utf8mb4', 'mysql');
    return server;
  }

  async start() {
    this.program = new Program(
      'mariadbd',
      [
        tool('mariadbd', 'mariadb-server'),
        '--no-defaults',
        ...asUser(),
        `--datadir=${this.folder}/data`,
        `--socket=${this.socket}`,
        `--tmpdir=${this.tmp}`,
        '--skip-networking',
        '--innodb-buffer-pool-size=32M',
        `--innodb-flush-log-at-trx-commit=${this.flush}`,
      ],
      { log: path.join(this.folder, 'mariadbd.log') },
    );
    await this.program.until('MariaDB listens', () => answersOn(this.socket));
  }

  get tmp() {
    return path.join(this.folder, 'tmp');
  }

  /** The section [acl] of who uses it. */
  get config() {
    return { kind: 'mariadb', socket: this.socket, user: 'root', database: 'notify' };
  }

  async sql(text, database = 'notify') {
    const words = [tool('mariadb', 'mariadb-client'), '--no-defaults', `--socket=${this.socket}`, '--user=root', '-N', '-B'];
    const ended = await run([...words, database], { input: text });
    if (ended.code !== 0) {
      throw new Error(`mariadb: ${ended.stderr}`);
    }
    return ended.stdout;
  }

  async stop() {
    if (this.program.isRunning) {
      await this.program.end();
    }
  }
}

module.exports = { MariaDb };
