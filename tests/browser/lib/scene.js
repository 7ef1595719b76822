'use strict';

const { after, afterEach, before, beforeEach } = require('node:test');
const { Stack } = require('../../system/lib/stack');
const { Tab, launch, servePages } = require('./pages');

/**
 * For all tests of a file: a daemon with its handlers (`stack`), an origin of `pages`, and a Chromium. Each test has a
 * `context` of its own, and must leave nobody with the daemon.
 */
function setScene(label, options) {
  const scene = {
    /** A tab with a client of the daemon, or of what `url` says. */
    open: (client, more) => Tab.open(scene.context, scene.pages.url, { url: scene.stack.url, ...client }, more),
  };
  let browser;
  before(async () => {
    scene.stack = await Stack.start(label, { handlers: 1, ...options });
    scene.pages = await servePages();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    scene.pages?.stop();
    await scene.stack?.stop();
  });
  beforeEach(async () => (scene.context = await browser.newContext()));
  afterEach(async () => {
    await scene.context?.close();
    await scene.stack.untilTotal(0);
  });
  return scene;
}

module.exports = { setScene };
