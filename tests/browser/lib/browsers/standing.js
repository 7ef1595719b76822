'use strict';

const http = require('node:http');
const { Tab } = require('./tab');

let server;

/** A server that leaves requests without an answer until release(). Pages of any origin may ask it. */
async function startServer() {
  const waiting = new Map(); // path: what is called when it was asked, or the answer that waits
  const listening = http.createServer((request, response) => {
    waiting.get(request.url)?.(response);
  });
  await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve));
  listening.unref();
  return { url: `http://127.0.0.1:${listening.address().port}`, waiting };
}

/**
 * A tab of a browser that cannot freeze one at will: its page waits for the answer to a synchronous request, which lets none
 * of its scripts run, as when a phone has stopped it. WebKit gives such a request up after ten seconds.
 */
class StandingTab extends Tab {
  static #last = 0;
  #answer;

  async freeze() {
    server ??= await startServer();
    const path = `/${++StandingTab.#last}`;
    const asked = new Promise((resolve) => server.waiting.set(path, resolve));
    const stand = (url) => {
      // The driver has its answer first.
      setTimeout(() => {
        const request = new XMLHttpRequest();
        request.open('GET', url, false);
        request.send();
      }, 50);
    };
    await this.hide();
    await this.evaluate(stand, server.url + path);
    this.#answer = await asked;
    server.waiting.delete(path);
    this.isFrozen = true;
  }

  async thaw() {
    this.#answer.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end();
    this.isFrozen = false;
    await this.show();
  }
}

module.exports = { StandingTab };
