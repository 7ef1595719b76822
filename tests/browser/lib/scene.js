'use strict';

const { after, afterEach, before, beforeEach } = require('node:test');
const { Stack } = require('../../system/lib/stack');
const { launch } = require('./browsers');
const { ClientTab } = require('./client-tab');
const { Site } = require('./site');

/** The browser of this run: chromium, firefox or webkit. */
const browserName = process.env.ESN_BROWSER ?? 'chromium';

/**
 * For all tests of a file: a daemon with its handlers (`stack`), or what `start(label)` gives, a `site`, and a browser. Each
 * test has a `profile` of its own, and must leave nobody with the daemon.
 */
function setScene(label, { start, ...options } = {}) {
  const scene = {
    /** A tab with a client of the daemon, or of what `url` says. */
    open: (client, page) => ClientTab.open(scene.profile, scene.site, { url: scene.url, ...client }, page),
  };
  let browser;
  before(async () => {
    scene.served = start ? await start(label) : await Stack.start(label, { handlers: 1, ...options });
    scene.stack = scene.served.stack ?? scene.served;
    scene.url = scene.served.url;
    scene.site = await Site.start();
    browser = await launch(browserName);
    scene.newProfile = () => browser.newProfile();
  });
  after(async () => {
    await browser?.close();
    scene.site?.stop();
    await scene.served?.stop();
  });
  beforeEach(async () => (scene.profile = await browser.newProfile()));
  afterEach(async () => {
    await scene.profile?.close();
    await scene.stack.untilTotal(0);
  });
  return scene;
}

module.exports = { setScene, browserName };
