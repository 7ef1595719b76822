'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const assert = require('node:assert/strict');
const { newFolder, programs, source } = require('./paths');
const { freePort } = require('./ports');
const { Program, run } = require('./program');
const { NOTIFICATIONS, Redis } = require('./redis');
const { request } = require('./http');
const { startNginx } = require('./nginx');
const { Stack } = require('./stack');
const { until } = require('./wait');

/** Of a Redis that has on its disk what it says it has. */
const ON_DISK = ['--appendonly', 'yes', '--appendfsync', 'always', '--notify-keyspace-events', NOTIFICATIONS];

/** deploy/nginx/es-web-notify-nodes.conf as an installation makes it, for these daemons and handlers. */
function site(stacks, sockets) {
  const deploy = path.join(source, 'deploy/nginx');
  const script = path.join(deploy, 'es-web-notify-nodes.sed');
  let server = execFileSync('sed', ['-f', script, path.join(deploy, 'es-web-notify.conf')], { encoding: 'utf8' });
  for (const [name, socket] of Object.entries(sockets)) {
    assert.ok(server.includes(`/run/es-web-notify/${name}.sock`));
    server = server.replaceAll(`/run/es-web-notify/${name}.sock`, socket);
  }
  assert.ok(!server.includes(':8010'), server);
  // As many daemons as there are, in place of three.
  const lines = fs.readFileSync(path.join(deploy, 'es-web-notify-nodes-upstream.conf'), 'utf8').split('\n');
  const http = lines.flatMap((line) => {
    if (!line.includes('10.0.0.1:8010')) {
      return line.includes('10.0.0.') ? [] : [line];
    }
    return stacks.map((stack, index) => line.replace('10.0.0.1:8010', `127.0.0.1:${stack.port}`).replace('node/1/', `node/${index + 1}/`));
  });
  return { http: http.join('\n'), server };
}

/**
 * Several daemons on one Redis, each a Stack in `nodes`, behind an nginx as deploy/ has it, with esn-event and esn-subscribe.
 * Options: config of all, as of a Stack; workers of each handler; prepare(stack) before each starts; startRedis(folder) gives a
 * Redis with `config`, its section, in place of one that writes before it answers.
 */
class Nodes {
  nodes = [];

  static async start(label, count, options = {}) {
    const all = new Nodes(label, options);
    try {
      await all.#startAll(count);
    } catch (error) {
      console.error(`${label}: ${error.message}\nLogs are in ${all.folder} and ${all.nodes.map((node) => node.folder)}`);
      await all.#endAll();
      throw error;
    }
    return all;
  }

  constructor(label, { config = {}, workers = 2, prepare = () => {}, startRedis = (folder) => Redis.start(folder, { words: ON_DISK }) }) {
    this.label = label;
    this.folder = newFolder(label);
    this.options = { config, workers, prepare, startRedis };
  }

  async #startAll(count) {
    this.redis = await this.options.startRedis(this.folder);
    fs.writeFileSync(path.join(this.folder, 'ticket.secret'), 'the secret of the tickets of these tests\n', { mode: 0o600 });
    for (let i = 1; i <= count; i++) {
      this.nodes.push(this.#newNode(i));
    }
    await Promise.all(this.nodes.map((node) => node.start()));
    const [first] = this.nodes;
    this.eventSocket = path.join(this.folder, 'event.sock');
    this.subscribeSocket = path.join(this.folder, 'subscribe.sock');
    this.event = this.#startHandler('event', this.eventSocket);
    this.subscribe = this.#startHandler('subscribe', this.subscribeSocket);
    this.publishToken = first.publishToken;
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}/notify/`;
    await until('the handlers listen', () => fs.existsSync(this.eventSocket) && fs.existsSync(this.subscribeSocket));
    this.nginx = await startNginx(this.folder, this.port, site(this.nodes, { event: this.eventSocket, subscribe: this.subscribeSocket }));
    await until('events are taken', async () => (await this.post({ ep: ['nodes/ready'], e: { type: 'ready' } })).status === 200);
  }

  #newNode(number) {
    const { config, prepare } = this.options;
    const node = new Stack(`node${number}`, {
      engine: 'redis',
      redis: this.redis,
      config: {
        ...config,
        fanout: { node_url: `node/${number}/`, ...config.fanout },
        redis: { ...this.redis.config, ...config.redis },
        ticket: { secret_file: path.join(this.folder, 'ticket.secret'), ...config.ticket },
      },
    });
    prepare(node, number);
    return node;
  }

  #startHandler(name, socket) {
    return new Program(
      `esn-${name}`,
      [programs[name], '--config', this.nodes[0].file, '--listen', `unix:${socket}`, '--workers', String(this.options.workers)],
      { log: path.join(this.folder, `esn-${name}.log`) },
    );
  }

  post(body, { headers = {}, agent = false, path: below = 'event' } = {}) {
    return request(`${this.url}${below}`, {
      method: 'POST',
      agent,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.publishToken}`, ...headers },
      body: JSON.stringify(body),
    });
  }

  async publish(topics, type, detail) {
    const answer = await this.post({ ep: [].concat(topics), e: detail === undefined ? { type } : { type, detail } });
    assert.equal(answer.status, 200, `${answer.status} ${answer.text}`);
    return answer.json;
  }

  esnctl(...words) {
    return run([programs.esnctl, ...words, '--config', this.nodes[0].file]);
  }

  async #endAll() {
    const codes = [];
    for (const program of [this.nginx, this.subscribe, this.event]) {
      codes.push([program?.name, program?.isRunning ? await program.end().catch((error) => error.message) : 0]);
    }
    await Promise.all(this.nodes.map((node) => node.stop().catch((error) => codes.push([node.label, error.message]))));
    await this.redis?.stop().catch((error) => codes.push(['Redis', error.message]));
    return codes;
  }

  async stop() {
    for (const [name, code] of await this.#endAll()) {
      assert.equal(code, 0, `end of ${name}; logs are in ${this.folder}`);
    }
    if (!process.env.ESN_TEST_LOGS) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

module.exports = { Nodes, ON_DISK };
