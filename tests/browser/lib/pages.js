'use strict';

// Pages of an origin of their own, with the JavaScript client by <script src>, and a Chromium that opens them.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { source, tool } = require('../../system/lib/paths');
const { LIMIT_MS } = require('../../system/lib/wait');

const PAGE = '<!doctype html><meta charset="utf-8"><title>test</title><script src="/es-web-notify.js"></script>';
const SCRIPT = path.join(source, 'clients/js/dist/es-web-notify.js');

/** A server of blank pages that have the client, and of those of `more` ({path: text}). */
async function servePages(more = {}) {
  const server = http.createServer((request, response) => {
    if (request.url === '/es-web-notify.js') {
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(fs.readFileSync(SCRIPT));
    } else if (request.url === '/favicon.ico') {
      response.writeHead(404).end();
    } else {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end(more[request.url] ?? PAGE);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, stop };
}

function launch() {
  return chromium.launch({
    executablePath: tool('chromium', 'chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

/** A tab with a client that keeps what it hears. */
class Tab {
  faults = [];

  static async open(context, url, options, { before } = {}) {
    const tab = new Tab();
    tab.page = await context.newPage();
    tab.page.setDefaultTimeout(LIMIT_MS);
    tab.page.on('pageerror', (error) => tab.faults.push(String(error)));
    if (before) await tab.page.addInitScript(before);
    await tab.begin(url, options);
    return tab;
  }

  /** Opens the page, anew perhaps, and connects. */
  async begin(url, options) {
    await this.page.goto(url);
    await this.page.evaluate((given) => {
      Object.assign(window, { heard: [], states: [], errors: [], began: performance.now() });
      window.client = window.EsWebNotify.connect(given);
      window.client.on('*', ({ type, topic, requested, detail }) => window.heard.push({ type, topic, requested, detail }));
      window.client.on('@state', (state) => window.states.push(state));
      window.client.on('@error', ({ kind, message }) => window.errors.push(`${kind}: ${message}`));
    }, options);
  }

  ready() {
    return this.page.evaluate(() => window.client.ready());
  }

  get(name) {
    return this.page.evaluate((what) => window.client[what], name);
  }

  /** What was heard: "type topic" of each event. */
  heard() {
    return this.page.evaluate(() => window.heard.map(({ type, topic }) => `${type} ${topic}`));
  }

  states() {
    return this.page.evaluate(() => window.states);
  }

  untilState(state) {
    return this.page.waitForFunction((wanted) => window.client.state === wanted, state);
  }

  untilHeard(type) {
    return this.page.waitForFunction((wanted) => window.heard.some((event) => event.type === wanted), type);
  }

  close() {
    return this.page.close();
  }
}

module.exports = { Tab, launch, servePages };
