'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { MariaDb } = require('./mariadb');
const { programs, tool } = require('./paths');
const { Program, run } = require('./program');
const { Stack } = require('./stack');

/** A daemon, a shop's database with the outbox, and as many esn-outbox as are started. */
class Outbox {
  workers = [];
  #started = 0;

  /**
   * Options: database (sqlite or mariadb), config ({section: {key: value}}; `$` stands for the folder), durable (MariaDB
   * flushes each commit to the disk), files ({name: text} in the folder), options of Stack.
   */
  static async start(label, { database = 'sqlite', config = {}, files = {}, durable = false, ...more } = {}) {
    const outbox = new Outbox();
    outbox.stack = new Stack(label, more);
    try {
      await outbox.#start(database, config, files, durable);
    } catch (error) {
      await outbox.stop().catch(() => {});
      throw error;
    }
    return outbox;
  }

  async #start(database, config, files, durable) {
    const { stack } = this;
    this.doorbell = path.join(stack.folder, 'bell');
    this.kind = database;
    if (database === 'mariadb') {
      this.mariadb = await MariaDb.create(stack.folder, { durable });
    }
    this.file = path.join(stack.folder, 'shop.db');
    const own = {
      outbox: {
        publishers: '*',
        doorbell: `unix:${this.doorbell}`,
        ...(this.mariadb ? this.mariadb.config : { kind: 'sqlite', file: this.file }),
      },
    };
    const inFolder = (keys) => Object.entries(keys).map(([key, value]) => [key, String(value).replaceAll('$', stack.folder)]);
    for (const [section, keys] of Object.entries(config)) {
      own[section] = { ...own[section], ...Object.fromEntries(inFolder(keys)) };
    }
    stack.config = own;
    for (const [name, text] of Object.entries(files)) {
      fs.writeFileSync(path.join(stack.folder, name), text);
    }
    if (!this.mariadb) {
      await this.sql('PRAGMA journal_mode = WAL;');
    }
    await stack.start();
    await this.esnctl('outbox', 'create-tables');
  }

  /** For PDO. */
  get dsn() {
    return this.mariadb ? `mysql:unix_socket=${this.mariadb.socket};dbname=notify` : `sqlite:${this.file}`;
  }

  /** What it selects, as lines. */
  async sql(text) {
    if (this.mariadb) {
      return this.mariadb.sql(text);
    }
    const ended = await run([tool('sqlite3', 'sqlite3'), '-cmd', '.timeout 60000', '-separator', '\t', this.file], { input: text });
    assert.equal(ended.code, 0, ended.stderr);
    return ended.stdout;
  }

  /** The statement that leaves a post: an object, or text as it is. */
  static row(body, { queue = '', publisher = '' } = {}) {
    const quoted = [queue, publisher, typeof body === 'string' ? body : JSON.stringify(body)];
    const texts = quoted.map((text) => `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`);
    return `INSERT INTO outgoing_events (queue, publisher, body) VALUES (${texts.join(', ')});\n`;
  }

  /** Leaves events of this type with these details, in one transaction. */
  add(type, details, { topic = 'a', ...more } = {}) {
    const rows = details.map((detail) => Outbox.row({ ep: [topic], e: { type, detail } }, more));
    return this.sql(`BEGIN;\n${rows.join('')}COMMIT;`);
  }

  async rows(columns = 'id, queue, failure') {
    const text = await this.sql(`SELECT ${columns} FROM outgoing_events ORDER BY id;`);
    return text.split('\n').slice(0, -1).map((line) => line.split('\t'));
  }

  async esnctl(...words) {
    const ended = await run([programs.esnctl, ...words], { env: { ESN_CONF: this.stack.file } });
    assert.equal(ended.code, 0, `esnctl ${words.join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  }

  /** {waiting, oldest_ms, failed} */
  async counts() {
    return JSON.parse(await this.esnctl('outbox', '--json'));
  }

  async startWorker({ file = this.stack.file, wrapper = [] } = {}) {
    const name = `esn-outbox-${this.#started++}`;
    const log = path.join(this.stack.folder, `${name}.log`);
    const worker = new Program(name, [...wrapper, programs.outbox, '--config', file], { log });
    this.workers.push(worker);
    await worker.until('it is ready', () => worker.output().includes(': ready '));
    return worker;
  }

  async stop() {
    for (const worker of this.workers) {
      if (worker.isRunning) {
        assert.equal(await worker.end(), 0, worker.output());
      }
    }
    await this.mariadb?.stop();
    await this.stack.stop();
  }
}

module.exports = { Outbox };
