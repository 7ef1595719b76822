'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { NO_USER, bindKey, keyPair } = require('./bind-keys');
const { MariaDb } = require('./mariadb');
const { newFolder, programs } = require('./paths');
const { run } = require('./program');
const { Subscriber } = require('./subscriber');
const { BehindWebServer } = require('./webservers');

// Generous, since a test may not pass or fail by the clock: exact bounds are the unit tests' business.
const TOLERANCE_S = 600;

const END = 'bound/end';

/** Everything that bound topics need, behind a web server: keys, a database of registered topics, both handlers. */
class Bound {
  #ends = 0;

  /** Options: web (a name of webservers.js), database (sqlite or mariadb), config, prepare(stack) before it starts. */
  static async start({ web = 'nginx', database = 'sqlite', config = {}, prepare = () => {} } = {}) {
    const bound = new Bound();
    try {
      await bound.#start(web, database, config, prepare);
    } catch (error) {
      await bound.stop().catch(() => {});
      throw error;
    }
    return bound;
  }

  async #start(web, database, config, prepare) {
    if (database === 'mariadb') {
      this.folder = newFolder('db');
      this.mariadb = await MariaDb.create(this.folder);
    }
    const own = {
      acl: this.mariadb ? this.mariadb.config : { kind: 'sqlite', file: 'topics.db' },
      bind_key: { private_key_file: 'bind.key', tolerance: `${TOLERANCE_S}s`, skew: '0s' },
      binding: { mode: 'rsa' },
    };
    const sections = new Set([...Object.keys(own), ...Object.keys(config)]);
    const merged = Object.fromEntries([...sections].map((name) => [name, { ...own[name], ...config[name] }]));
    this.web = await BehindWebServer.start(web, {
      config: merged,
      prepare: (stack) => {
        fs.writeFileSync(path.join(stack.folder, 'bind.key'), keyPair().privateKey, { mode: 0o600 });
        prepare(stack);
      },
    });
    this.stack = this.web.stack;
    this.url = this.web.url;
    this.sqlite = this.mariadb ? undefined : path.join(this.stack.folder, 'topics.db');
    await this.esnctl('topic', 'create-tables');
    await this.add(END, { owner: 'ana', sub: ['*'] });
  }

  async esnctl(...words) {
    const ended = await run([programs.esnctl, ...words], { env: { ESN_CONF: this.stack.file } });
    assert.equal(ended.code, 0, `esnctl ${words.slice(0, 5).join(' ')}: ${ended.stderr}`);
    return ended.stdout;
  }

  /** Registers a topic; `password` is what publishers must give. */
  async add(topic, { owner = 'ana', pub = [], sub = [], password } = {}) {
    const each = (option, users) => users.flatMap((user) => [option, user]);
    await this.esnctl('topic', '--owner', owner, ...each('--pub', pub), ...each('--sub', sub), 'add', '--', topic);
    if (password !== undefined) {
      const file = path.join(this.stack.folder, 'password');
      fs.writeFileSync(file, `${password}\n`);
      await this.esnctl('password', '--cost', '4', '--file', file, '--', topic);
    }
  }

  /** Subscribes as a user (undefined: without a bind key), bound to these topics. */
  subscribe(user, topics, more = {}) {
    const ep = [...topics, END].map((topic) => ({ topic, binded: true }));
    const body = user === undefined ? { ep: [...topics, END], ...more } : { bind_key: bindKey(user), ep, ...more };
    return Subscriber.open(this.url, body);
  }

  /** Posts an event; `points` are event points as they are. */
  post(points, { as, key = as === undefined ? undefined : bindKey(as), type = 'x', detail, ...body } = {}) {
    const whole = { ep: [].concat(points), e: { type, detail }, bind_key: key, ...body };
    return this.stack.post(whole, { url: `${this.url}event` });
  }

  /** Publishes on a registered topic; gives the answer's only result. */
  async publish(topic, options = {}) {
    const { password, targeted, ...rest } = options;
    const answer = await this.post({ topic, binded: true, password, targeted }, rest);
    assert.ok([200, 403].includes(answer.status), `${answer.status} ${answer.text}`);
    return { ...answer.json.ep[0], status: answer.status };
  }

  /** The types of the events that these subscribers have got by now, and did not give before. */
  async heard(...subscribers) {
    const type = `end-${++this.#ends}`;
    const result = await this.publish(END, { as: 'ana', type });
    assert.equal(result.result, 'sent');
    const taken = await Promise.all(subscribers.map((subscriber) => subscriber.takeUntil(type)));
    return taken.map((frames) =>
      frames
        .slice(0, -1)
        .filter((frame) => frame.json.ep.requested !== '@SERVER@')
        .filter((frame) => !frame.json.e.type.startsWith('end-'))
        .map((frame) => frame.json.e.type),
    );
  }

  async stop() {
    await this.web?.stop();
    await this.mariadb?.stop();
    if (this.folder && !process.env.ESN_TEST_LOGS) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

module.exports = { Bound, END, NO_USER, TOLERANCE_S };
