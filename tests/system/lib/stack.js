'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { engines } = require('./engines');
const { freePort } = require('./ports');
const { newFolder, programs } = require('./paths');
const { Program } = require('./program');
const { Redis } = require('./redis');
const { request } = require('./http');
const { startNginx } = require('./nginx');
const { Subscriber } = require('./subscriber');
const { until } = require('./wait');

const PUBLISH_TOKEN = 'publish-token-of-the-tests';
const ADMIN_TOKEN = 'admin-token-of-the-tests';

/** What carries events where a test does not say: tests/run --engine. */
const ENGINE = process.env.ESN_ENGINE || 'zeromq';
assert.ok(ENGINE in engines, `ESN_ENGINE: ${ENGINE}`);
/** Of [log]: what is kept in a file is kept in Redis instead, which then writes it to its own. */
const IN_REDIS = ['path', 'sync', 'sync_interval'];
const ON_DISK = ['--appendonly', 'yes', '--appendfsync', 'always'];

function iniText(sections) {
  return Object.entries(sections)
    .map(([section, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`);
      return `[${section}]\n${lines.join('')}`;
    })
    .join('\n');
}

/** A daemon, and what else is asked for, in a folder and on ports of their own. */
class Stack {
  publishToken = PUBLISH_TOKEN;
  adminToken = ADMIN_TOKEN;
  handlers = []; // Programs
  #agent = new http.Agent({ keepAlive: true });
  #sentinels = 0;
  #holders = 0;
  #helpers = [];

  /**
   * Options:
   *   config    {section: {key: value}} over the stack's own
   *   wrapper   command words before the daemon's
   *   env       of the daemon
   *   addresses where the daemon listens besides the unix socket (a free port of 127.0.0.1)
   *   lines     whether it listens for raw TCP as well, on linesPort
   *   handlerWrapper  command words before each handler's
   *   handlers  how many esn-event masters (0: no web server either), each with `workers`
   *   engine    'zeromq' of tests that are about it (the others are for both: ESN_ENGINE)
   *   redis     of that engine: a Redis (redis.js) that others use too, which is not ended here
   */
  static async start(label, options = {}) {
    const stack = new Stack(label, options);
    await stack.start();
    return stack;
  }

  constructor(label, { config = {}, wrapper = [], env = {}, addresses, lines = false, handlers = 0, workers = 2, handlerWrapper = [], engine = ENGINE, redis }) {
    this.label = label;
    this.folder = newFolder(label);
    this.options = { config, wrapper, env, addresses, lines, handlers, workers, handlerWrapper, engine, redis };
    this.file = path.join(this.folder, 'es-web-notify.conf');
    this.socketPath = path.join(this.folder, 'http.sock');
    this.config = config;
  }

  /** What is another way with the engine that this one has: see engines.js. */
  get engine() {
    return engines[this.options.engine];
  }

  /** The Program that takes posts. */
  get taker() {
    return this.engine.takes(this);
  }

  /** For who has something to put into the folder or the configuration first. */
  async start() {
    try {
      await this.#startAll();
    } catch (error) {
      console.error(`${this.label}: ${error.message}\nLogs are in ${this.folder}`);
      await this.#endAll();
      throw error;
    }
  }

  async #startAll() {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.linesPort = this.options.lines ? await freePort() : undefined;
    this.addresses = this.options.addresses ?? [`127.0.0.1:${this.port}`];
    this.writeTokens('publish.token', [this.publishToken]);
    this.writeTokens('admin.token', [this.adminToken]);
    await this.#startEngine();
    this.writeConfig();
    await this.startDaemon();
    for (let i = 0; i < this.options.handlers; i++) {
      this.startHandler();
    }
    if (this.options.handlers > 0) {
      await this.startWeb();
    }
  }

  /** Unless the test has put a Redis into the configuration: then the bus is there too. */
  async #startEngine() {
    const { engine, redis } = this.options;
    if (engine === 'redis' && !redis && !this.config.redis?.url) {
      const folder = path.join(this.folder, 'bus');
      fs.mkdirSync(folder);
      this.redis = await Redis.start(folder, this.config.log?.path ? { words: ON_DISK } : {});
    }
  }

  /** The sections that say what carries events. */
  #busSections() {
    const { engine, redis = this.redis } = this.options;
    if (engine === 'zeromq') {
      return { bus: { events: `ipc://${this.folder}/events`, acks: `ipc://${this.folder}/acks` } };
    }
    // Tests count receivers: on a busy machine the default is over before a daemon has said them.
    return { bus: { engine, receivers_time: '2s' }, ...(redis && { redis: { url: redis.url } }) };
  }

  /** A secret file as the programs want it: for its owner alone. */
  writeTokens(name, tokens) {
    fs.writeFileSync(path.join(this.folder, name), `${tokens.join('\n')}\n`, { mode: 0o600 });
  }

  /** Writes the configuration file: the stack's own values, those it was started with, those given. */
  writeConfig(changes = {}) {
    const own = {
      fanout: {
        listen: [...this.addresses, `unix:${this.socketPath}`].join(' '),
        listen_lines: this.linesPort ? `127.0.0.1:${this.linesPort}` : '',
      },
      publish: { token_file: path.join(this.folder, 'publish.token') },
      ...this.#busSections(),
      admin: { token_file: path.join(this.folder, 'admin.token') },
      messages: { level: 'debug' },
    };
    for (const sections of [this.config, changes]) {
      for (const [section, keys] of Object.entries(sections)) {
        own[section] = { ...own[section], ...keys };
      }
    }
    if (own.bus.engine === 'redis' && own.log) {
      own.log = { ...own.log };
      IN_REDIS.forEach((key) => delete own.log[key]);
    }
    fs.writeFileSync(this.file, iniText(own));
  }

  async startDaemon() {
    this.daemon = new Program(
      'esn-fanout',
      [...this.options.wrapper, programs.fanout, '--config', this.file],
      { log: path.join(this.folder, 'esn-fanout.log'), env: this.options.env },
    );
    // By Redis it serves when it has read what was published before.
    const question = this.engine.takesAlone ? 'readyz' : 'healthz';
    await this.daemon.until('the daemon answers', async () => {
      const options = { agent: false, socketPath: this.socketPath };
      return (await request(`http://localhost/${question}`, options)).status === 200;
    });
  }

  /** Ends the daemon and starts it again; handlers know it again when this is done. */
  async restartDaemon() {
    await this.daemon.end();
    await this.startDaemon();
    await this.publishInTheEnd('anywhere', 'back');
  }

  /** Ends what takes posts, the daemon with it. */
  async endTaking() {
    await this.daemon.end();
    await this.taker.end();
  }

  /** The same at once: what was taken has been given to the daemon, or is lost. */
  async killTaking() {
    await this.taker.end('SIGKILL');
    await this.daemon.end('SIGKILL');
  }

  /** After either. */
  async startTaking() {
    if (this.engine.takesAlone) {
      await this.redis.start();
    }
    await this.startDaemon();
  }

  startHandler() {
    const index = this.handlers.length;
    const socket = path.join(this.folder, `event${index}.sock`);
    const handler = new Program(
      `esn-event-${index}`,
      [...this.options.handlerWrapper, programs.event, '--config', this.file, '--listen', `unix:${socket}`, '--workers', String(this.options.workers)],
      { log: path.join(this.folder, `esn-event-${index}.log`) },
    );
    handler.socket = socket;
    this.handlers.push(handler);
    return handler;
  }

  /** nginx with /notify/ at the daemon, /notify/event at all handlers in turn, /handler/N/event at one of them. */
  async startWeb() {
    this.webPort = await freePort();
    this.webUrl = `http://127.0.0.1:${this.webPort}`;
    this.eventUrl = `${this.webUrl}/notify/event`;
    const pass = (to) => `include /etc/nginx/fastcgi_params; fastcgi_pass ${to};`;
    const servers = this.handlers.map((handler) => `server unix:${handler.socket} max_fails=0;`);
    const single = this.handlers.map(
      (handler, index) => `location ~ ^/handler/${index}/event(/[^/]*)?$ { ${pass(`unix:${handler.socket}`)} }`,
    );
    this.nginx = await startNginx(this.folder, this.webPort, {
      http: `upstream esn_event { ${servers.join(' ')} }`,
      server: `
location = / { return 204; }
location ~ ^/notify/(event(/[^/]*)?|drop)$ { ${pass('esn_event')} }
${single.join('\n')}
location /notify/ {
  proxy_pass ${this.url}/;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffering off;
}`,
    });
    for (let index = 0; index < this.handlers.length; index++) {
      await this.handlers[index].until('the handler publishes', async () => {
        const answer = await this.post({ ep: ['stack/ready'], e: { type: 'ready' } }, { handler: index });
        return answer.status === 200;
      });
      await this.#untilAllWork(this.handlers[index]);
    }
  }

  /** One worker is enough for a post; under a wrapper they are not its children. */
  async #untilAllWork(handler) {
    const { workers, handlerWrapper } = this.options;
    if (handlerWrapper.length === 0) {
      await handler.until('all its workers are there', () => handler.children().length === workers);
    }
  }

  /** A request to the daemon itself. */
  get(target, options = {}) {
    return request(`${this.url}${target}`, { agent: false, ...options });
  }

  /** JSON of one of the routes for operators, asked over the unix socket. */
  async look(target) {
    const answer = await request(`http://localhost${target}`, {
      agent: false,
      socketPath: this.socketPath,
      headers: { Authorization: `Bearer ${this.adminToken}` },
    });
    assert.equal(answer.status, 200, `${target}: ${answer.text}`);
    assert.notEqual(answer.json, undefined, `${target} is no JSON: ${answer.text}`);
    return answer.json;
  }

  /** Waits until /connections says `total`; returns the whole of it. */
  untilTotal(total, limit) {
    return until(
      `/connections counts ${total}`,
      async () => {
        const counts = await this.look('/connections');
        this.lastCounts = counts;
        return counts['@TOTAL@'] === total && counts;
      },
      limit,
    ).catch((error) => {
      throw new Error(`${error.message}; it says ${JSON.stringify(this.lastCounts)?.slice(0, 500)}`);
    });
  }

  subscribe(body, options) {
    return Subscriber.open(`${this.url}/`, body, options);
  }

  /** A process of its own that holds `count` streams, ready when all are connected. Words: see hold.js, or another script beside it. */
  async hold(count, { wrapper = [], script = 'hold.js', words = ['--port', String(this.port)] } = {}) {
    const name = `hold-${++this.#holders}`;
    const command = [process.execPath, path.join(__dirname, script), '--count', String(count), ...words];
    const holder = new Program(name, [...wrapper, ...command], { log: path.join(this.folder, `${name}.log`) });
    this.#helpers.push(holder);
    await holder.until(`${count} streams are connected`, () => /^all \d+ connected$/m.test(holder.output()));
    return holder;
  }

  /**
   * Posts an event through the web server. `body` is an object, or text or bytes as they are.
   * Options: token (null: none), query (in place of the token's), handler (index of one), headers, agent, url.
   */
  post(body, { token = this.publishToken, query, handler, headers = {}, agent = this.#agent, url, method = 'POST' } = {}) {
    const target = url ?? (handler === undefined ? this.eventUrl : `${this.webUrl}/handler/${handler}/event`);
    query ??= token === null ? '' : `?token=${encodeURIComponent(token)}`;
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    return request(`${target}${query}`, {
      method,
      agent,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: isRaw ? body : JSON.stringify(body),
    });
  }

  /** Posts an event that has to succeed; gives the answer's JSON. */
  async publish(topics, type, detail) {
    const e = detail === undefined ? { type } : { type, detail };
    const answer = await this.post({ ep: Array.isArray(topics) ? topics : [topics], e });
    assert.equal(answer.status, 200, `${answer.status} ${answer.reason} ${answer.text}`);
    return answer.json;
  }

  /** The same for a time in which some worker may not know yet that the daemon is back: tries again, delivered once. */
  async publishInTheEnd(topic, type) {
    const body = { id: `${type} ${++this.#sentinels}`, ep: [topic], e: { type } };
    await until(`${type} is published`, async () => (await this.post(body)).status === 200);
  }

  /**
   * What these subscribers have got up to now: publishes a last event for them and waits for it. They must be subscribed
   * to `topic`. Gives for each one the frames before it.
   */
  async drain(topic, ...subscribers) {
    const type = `sentinel-${++this.#sentinels}`;
    await this.publish(topic, type);
    const taken = await Promise.all(subscribers.map((subscriber) => subscriber.takeUntil(type)));
    return taken.map((frames) => frames.slice(0, -1));
  }

  #programs() {
    return [this.nginx, ...this.handlers, this.daemon, this.redis?.program].filter(Boolean);
  }

  async #endAll() {
    this.#agent.destroy();
    await Promise.all(this.#helpers.map((helper) => helper.end('SIGKILL')));
    const codes = new Map();
    for (const program of this.#programs()) {
      codes.set(program, await program.end().catch((error) => error.message));
    }
    return codes;
  }

  /** Ends everything. Each program must end with 0 unless a test has ended it already. */
  async stop() {
    const wereRunning = this.#programs().filter((program) => program.isRunning);
    const codes = await this.#endAll();
    for (const program of wereRunning) {
      assert.equal(codes.get(program), 0, `exit code of ${program.name}; its log is ${program.log}`);
    }
    if (!process.env.ESN_TEST_LOGS) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

module.exports = { Stack, ENGINE, PUBLISH_TOKEN, ADMIN_TOKEN };
