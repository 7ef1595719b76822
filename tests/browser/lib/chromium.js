'use strict';

const { chromium } = require('playwright-core');
const { tool } = require('../../system/lib/paths');

/** A browser of its own. When `open` fails, the browser is closed: else it would keep this process. */
async function inChromium(open) {
  const browser = await chromium.launch({
    executablePath: tool('chromium', 'chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    return await open(browser);
  } catch (error) {
    await browser.close();
    throw error;
  }
}

module.exports = { inChromium };
