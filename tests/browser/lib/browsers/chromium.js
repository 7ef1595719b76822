'use strict';

// Chromium by its DevTools protocol alone: tabs are hidden, frozen and kept for "back" as a user's are, which the libraries
// that drive it prevent.

const { newFolder, tool } = require('../../../system/lib/paths');
const { Program } = require('../../../system/lib/program');
const { until } = require('../../../system/lib/wait');
const { removeFolder } = require('./folder');
const { JsonSocket } = require('./json-socket');
const { Tab } = require('./tab');

const WORDS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--mute-audio', '--password-store=basic', '--remote-debugging-port=0'],
  '--ignore-certificate-errors', // self-made ones
];

class ChromiumTab extends Tab {
  #socket;
  #target;
  #session;
  #window;

  static async open(socket, browserContextId) {
    const tab = new ChromiumTab();
    tab.#socket = socket;
    tab.#target = await socket.ask('Target.createTarget', { url: 'about:blank', browserContextId, newWindow: true });
    tab.#session = await socket.ask('Target.attachToTarget', { ...tab.#target, flatten: true });
    tab.#window = (await socket.ask('Browser.getWindowForTarget', tab.#target)).windowId;
    return tab;
  }

  ask(method, params) {
    return this.#socket.ask(method, params, this.#session);
  }

  async goto(url) {
    const { errorText, loaderId } = await this.ask('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await until(`${url} is loaded`, async () => {
      const { frameTree } = await this.ask('Page.getFrameTree');
      return frameTree.frame.loaderId === loaderId && (await this.run('document.readyState')) === 'complete';
    });
  }

  async back() {
    const { currentIndex, entries } = await this.ask('Page.getNavigationHistory');
    const { id, url } = entries[currentIndex - 1];
    await this.ask('Page.navigateToHistoryEntry', { entryId: id });
    await until(`${url} is back`, async () => (await this.run('location.href + document.readyState')) === `${url}complete`);
  }

  async run(expression) {
    const { result } = await this.ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    return result.value;
  }

  #setWindow(windowState) {
    return this.#socket.ask('Browser.setWindowBounds', { windowId: this.#window, bounds: { windowState } });
  }

  async hide() {
    await this.#setWindow('minimized');
    await this.until(() => document.visibilityState === 'hidden');
  }

  async show() {
    await this.#setWindow('normal');
    await this.until(() => document.visibilityState === 'visible');
  }

  /** Chromium freezes hidden pages alone. */
  async freeze() {
    await this.hide();
    await this.ask('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw() {
    await this.ask('Page.setWebLifecycleState', { state: 'active' });
    await this.show();
  }

  async setOffline(offline) {
    await this.ask('Network.enable');
    const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.ask('Network.emulateNetworkConditions', conditions);
  }

  /** No task of the page runs until goOn(): nothing reaches it, as when its process stands still. */
  async halt() {
    await this.ask('Debugger.enable');
    const paused = this.#socket.next('Debugger.paused');
    await this.ask('Debugger.pause');
    this.run('1').catch(() => {}); // the task that is paused; the tab may be closed in it
    await paused;
  }

  goOn() {
    return this.ask('Debugger.disable');
  }

  /** Its process ends as by a fault. */
  async crash() {
    await this.ask('Inspector.enable');
    const crashed = this.#socket.next('Inspector.targetCrashed');
    this.ask('Page.crash').catch(() => {}); // there is nobody to answer
    await crashed;
  }

  close() {
    return this.#socket.ask('Target.closeTarget', this.#target);
  }
}

class ChromiumProfile {
  constructor(socket, context) {
    this.socket = socket;
    this.context = context;
  }

  openTab() {
    return ChromiumTab.open(this.socket, this.context.browserContextId);
  }

  close() {
    return this.socket.ask('Target.disposeBrowserContext', this.context);
  }
}

class Chromium {
  name = 'Chromium';

  static async launch() {
    const browser = new Chromium();
    browser.folder = newFolder('chromium');
    const log = `${browser.folder}/log`;
    browser.program = new Program('chromium', [tool('chromium', 'chromium'), ...WORDS, `--user-data-dir=${browser.folder}`], { log });
    const [, url] = await browser.program.untilLog(/DevTools listening on (ws:\S+)/);
    browser.socket = await JsonSocket.open(url);
    return browser;
  }

  async newProfile() {
    return new ChromiumProfile(this.socket, await this.socket.ask('Target.createBrowserContext'));
  }

  async close(signal = 'SIGTERM') {
    this.socket.close();
    await this.program.end(signal);
    await removeFolder(this.folder);
  }
}

module.exports = { launch: Chromium.launch };
