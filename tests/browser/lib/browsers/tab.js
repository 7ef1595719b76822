'use strict';

const http = require('node:http');
const { LIMIT_MS, until } = require('../../../system/lib/wait');

let server;

/** A server that leaves requests without an answer for as long as it is wanted. Pages of any origin may ask it. */
async function startServer() {
  const waiting = new Map(); // path: what is called when it was asked, or the answer that waits
  const listening = http.createServer((request, response) => {
    waiting.get(request.url)?.(response);
  });
  await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve));
  listening.unref();
  return { url: `http://127.0.0.1:${listening.address().port}`, waiting };
}

/** Text of an expression that calls `run` with what JSON can say, and gives a promise of JSON, or of an error's text. */
function expressionOf(run, value) {
  const call = `(${run})(${JSON.stringify(value) ?? 'undefined'})`;
  return `(async () => JSON.stringify({ value: await ${call} }))().catch((error) => JSON.stringify({ error: String(error) }))`;
}

/**
 * What tests do with a tab in any browser. The drivers give:
 *   goto(url)      when it is loaded
 *   back()         to the page before, which the browser may have kept
 *   run(text)      the value, a string, of an expression that gives a promise of one
 *   hide(), show() as when the user looks at another tab, and at this one again
 *   close()        as a user closes it
 */
class Tab {
  static #blocks = 0;
  #answer; // that a blocked page waits for

  /** `run` is a function that is called in the page with `value`. What goes in and comes out is JSON. */
  async evaluate(run, value) {
    const { value: result, error } = JSON.parse(await this.run(expressionOf(run, value)));
    if (error !== undefined) throw new Error(`in the page: ${error}`);
    return result;
  }

  /** Waits until `condition`, a function of the page, gives something true, and gives that. */
  until(condition, value, { what = String(condition), limit = LIMIT_MS } = {}) {
    return until(`in the page: ${what} ${JSON.stringify(value) ?? ''}`, () => this.evaluate(condition, value), limit);
  }

  /**
   * Until unblock() the page waits for the answer to a synchronous request, and none of its timers runs. WebKit gives such a
   * request up after ten seconds.
   */
  async block() {
    server ??= await startServer();
    const path = `/${++Tab.#blocks}`;
    const asked = new Promise((resolve) => server.waiting.set(path, resolve));
    const ask = (url) => {
      // The driver has its answer first.
      setTimeout(() => {
        const request = new XMLHttpRequest();
        request.open('GET', url, false);
        request.send();
      }, 50);
    };
    await this.evaluate(ask, server.url + path);
    this.#answer = await asked;
    server.waiting.delete(path);
  }

  unblock() {
    this.#answer.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end();
  }

  /** As a phone does to a hidden page. Of a browser that cannot be told so, the page is blocked. */
  async freeze() {
    await this.hide();
    await this.block();
  }

  async thaw() {
    this.unblock();
    await this.show();
  }
}

module.exports = { Tab };
