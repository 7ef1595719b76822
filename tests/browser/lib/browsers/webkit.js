'use strict';

// WebKitGTK's small browser by WebDriver (https://www.w3.org/TR/webdriver2/). It wants a screen: Xvfb is one.

const fs = require('node:fs');
const path = require('node:path');
const { request } = require('../../../system/lib/http');
const { newFolder, tool } = require('../../../system/lib/paths');
const { freePort } = require('../../../system/lib/ports');
const { Program } = require('../../../system/lib/program');
const { removeFolder } = require('./folder');
const { Tab } = require('./tab');

function miniBrowser() {
  const folders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/libexec'];
  const names = folders.flatMap((folder) => ['4.1', '6.0', '4.0'].map((version) => `${folder}/webkit2gtk-${version}/MiniBrowser`));
  const found = names.find((name) => fs.existsSync(name));
  if (!found) throw new Error('MiniBrowser is missing: install the Debian package libwebkit2gtk-4.1-0');
  return found;
}

class WebKitTab extends Tab {
  #profile;
  #handle;

  constructor(profile, handle) {
    super();
    this.#profile = profile;
    this.#handle = handle;
  }

  /** The driver has one current window: questions go one after the other. */
  #ask(method, target, body) {
    return this.#profile.inTurn(async () => {
      await this.#profile.ask('POST', '/window', { handle: this.#handle });
      return this.#profile.ask(method, target, body);
    });
  }

  goto(url) {
    return this.#ask('POST', '/url', { url });
  }

  back() {
    return this.#ask('POST', '/back', {});
  }

  async run(expression) {
    const script = `const tell = arguments[0]; Promise.resolve(${expression}).then(tell)`;
    return this.#ask('POST', '/execute/async', { script, args: [] });
  }

  /** Its driver cannot bring a window to the front: the page is told so. */
  #turn(visibilityState) {
    return this.evaluate((value) => {
      Object.defineProperty(document, 'visibilityState', { value, configurable: true });
      Object.defineProperty(document, 'hidden', { value: value === 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, visibilityState);
  }

  hide() {
    return this.#turn('hidden');
  }

  show() {
    return this.#turn('visible');
  }

  close() {
    return this.#ask('DELETE', '/window');
  }
}

/** A driver, since each holds one session, with a browser that forgets all when it ends. */
class WebKitProfile {
  #last = Promise.resolve();

  static async start(display) {
    const profile = new WebKitProfile();
    profile.folder = newFolder('webkit');
    const port = await freePort();
    const env = { DISPLAY: display, HOME: profile.folder, XDG_RUNTIME_DIR: profile.folder, NO_AT_BRIDGE: '1', GTK_A11Y: 'none' };
    const command = [tool('WebKitWebDriver', 'webkit2gtk-driver'), `--port=${port}`, '--host=127.0.0.1'];
    profile.program = new Program('WebKitWebDriver', command, { log: `${profile.folder}/log`, env });
    profile.url = `http://127.0.0.1:${port}/session`;
    const options = { binary: miniBrowser(), args: ['--automation'] };
    await profile.program.until('it answers', () => request(`http://127.0.0.1:${port}/status`, { agent: false }));
    const alwaysMatch = { acceptInsecureCerts: true, 'webkitgtk:browserOptions': options };
    const { sessionId } = await profile.ask('POST', '', { capabilities: { alwaysMatch } });
    profile.url = `${profile.url}/${sessionId}`;
    profile.first = await profile.ask('GET', '/window');
    return profile;
  }

  async ask(method, target, body) {
    const answer = await request(this.url + target, { method, agent: false, body: body && JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`WebKit: ${method} ${target}: ${answer.text.slice(0, 300)}`);
    return answer.json.value;
  }

  inTurn(action) {
    this.#last = this.#last.catch(() => {}).then(action);
    return this.#last;
  }

  /** Opened by the session's first window, which is never closed: a driver whose current window is gone opens none. */
  async openTab() {
    const { handle } = await this.inTurn(async () => {
      await this.ask('POST', '/window', { handle: this.first });
      return this.ask('POST', '/window/new', { type: 'window' });
    });
    return new WebKitTab(this, handle);
  }

  async close() {
    await this.inTurn(() => this.ask('DELETE', ''));
    await this.program.end();
    await removeFolder(this.folder);
  }
}

class WebKit {
  name = 'WebKit';
  #profiles = [];

  static async launch() {
    const browser = new WebKit();
    browser.folder = newFolder('xvfb');
    const log = path.join(browser.folder, 'log');
    // It says which screen it took, on its own standard output.
    browser.screen = new Program('Xvfb', [tool('Xvfb', 'xvfb'), '-displayfd', '1', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { log });
    const [, number] = await browser.screen.untilLog(/^(\d+)$/m);
    browser.display = `:${number}`;
    return browser;
  }

  async newProfile() {
    const profile = await WebKitProfile.start(this.display);
    this.#profiles.push(profile);
    return profile;
  }

  /** A profile is a program of its own: those that are still there have not ended as they were asked to. */
  async close(signal = 'SIGTERM') {
    await Promise.all(this.#profiles.map(({ program }) => program.end('SIGKILL')));
    await this.screen.end(signal);
    await removeFolder(this.folder);
  }
}

module.exports = { launch: WebKit.launch };
