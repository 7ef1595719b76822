'use strict';

// Firefox ESR by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/), which it speaks itself.

const fs = require('node:fs');
const path = require('node:path');
const { newFolder, tool } = require('../../../system/lib/paths');
const { Program } = require('../../../system/lib/program');
const { until } = require('../../../system/lib/wait');
const { removeFolder } = require('./folder');
const { JsonSocket } = require('./json-socket');
const { Tab } = require('./tab');

class FirefoxTab extends Tab {
  #socket;
  #context;
  #other; // a blank tab beside it

  static async open(socket, userContext) {
    const tab = new FirefoxTab();
    tab.#socket = socket;
    tab.#context = await socket.ask('browsingContext.create', { type: 'window', userContext });
    tab.userContext = userContext;
    return tab;
  }

  async goto(url) {
    await this.#socket.ask('browsingContext.navigate', { ...this.#context, url, wait: 'complete' });
  }

  async back() {
    const before = await this.run('location.href');
    const isBack = (page) => page.endsWith(' complete') && ![before, 'about:blank'].includes(page.split(' ')[0]);
    await this.#socket.ask('browsingContext.traverseHistory', { ...this.#context, delta: -1 });
    await until('another page is back', async () => isBack(await this.run('location.href + " " + document.readyState')));
  }

  async run(expression) {
    const question = { expression, target: this.#context, awaitPromise: true };
    const { result, exceptionDetails } = await this.#socket.ask('script.evaluate', question);
    if (exceptionDetails) throw new Error(`in the page: ${exceptionDetails.text}`);
    return result.value;
  }

  async hide() {
    if (this.#other) {
      await this.#socket.ask('browsingContext.activate', this.#other);
    } else {
      const question = { type: 'tab', referenceContext: this.#context.context, userContext: this.userContext };
      this.#other = await this.#socket.ask('browsingContext.create', question);
    }
    await this.until(() => document.visibilityState === 'hidden');
  }

  async show() {
    await this.#socket.ask('browsingContext.activate', this.#context);
    await this.until(() => document.visibilityState === 'visible');
  }

  setOffline(offline) {
    const networkConditions = offline ? { type: 'offline' } : null;
    return this.#socket.ask('emulation.setNetworkConditions', { networkConditions, contexts: [this.#context.context] });
  }

  async close() {
    for (const context of [this.#other, this.#context]) {
      if (context) await this.#socket.ask('browsingContext.close', context);
    }
  }
}

class FirefoxProfile {
  constructor(socket, context) {
    this.socket = socket;
    this.context = context;
  }

  openTab() {
    return FirefoxTab.open(this.socket, this.context.userContext);
  }

  close() {
    return this.socket.ask('browser.removeUserContext', this.context);
  }
}

class Firefox {
  name = 'Firefox';

  /** `prefs`: settings of about:config. */
  static async launch({ prefs = {} } = {}) {
    const browser = new Firefox();
    browser.folder = newFolder('firefox');
    const lines = Object.entries(prefs).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
    fs.writeFileSync(path.join(browser.folder, 'user.js'), lines.join(''));
    const log = `${browser.folder}/log`;
    const words = ['--headless', '--no-remote', '--remote-debugging-port=0', '--profile', browser.folder, 'about:blank'];
    const env = { HOME: browser.folder, MOZ_CRASHREPORTER_DISABLE: '1' };
    browser.program = new Program('firefox', [tool('firefox-esr', 'firefox-esr'), ...words], { log, env });
    const [, url] = await browser.program.untilLog(/WebDriver BiDi listening on (ws:\S+)/);
    browser.socket = await JsonSocket.open(`${url}/session`);
    await browser.socket.ask('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
    return browser;
  }

  async newProfile() {
    return new FirefoxProfile(this.socket, await this.socket.ask('browser.createUserContext'));
  }

  async close(signal = 'SIGTERM') {
    this.socket.close();
    await this.program.end(signal);
    await removeFolder(this.folder);
  }
}

module.exports = { launch: Firefox.launch };
