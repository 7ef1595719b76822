'use strict';

// The examples of the JavaScript client with their own backend and binding server in Node, in Chromium.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, test } = require('node:test');
const { keyPair } = require('../system/lib/bind-keys');
const { Bound } = require('../system/lib/bound');
const { source } = require('../system/lib/paths');
const { freePort } = require('../system/lib/ports');
const { Program } = require('../system/lib/program');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { launch } = require('./lib/pages');

let bound;
let examples;
let browser;
let url;

/** What deploy/quickstart writes, as far as the examples read it. */
function writeEnv(folder) {
  const key = path.join(folder, 'publish.public.pem');
  const file = path.join(folder, 'env');
  fs.writeFileSync(key, keyPair().publicKey);
  fs.writeFileSync(
    file,
    `ESN_BASE_URL=${bound.url}\nESN_EVENT_URL=${bound.url}event\nESN_PUBLISH_TOKEN=${bound.stack.publishToken}\nESN_PUBLISH_PUBLIC_KEY=${key}\n`,
  );
  return file;
}

before(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  const binding = { mode: 'server', url: `${url}binding`, method: 'POST' };
  bound = await Bound.start({ config: { binding } });
  await bound.add('CASA/NIVEL_AGUA', { owner: 'ana', pub: ['sensor'] });
  const { folder } = bound.stack;
  const command = [process.execPath, path.join(source, 'clients/js/examples/server.js')];
  examples = new Program('examples', [...command, '--env', writeEnv(folder), '--port', String(port)], {
    log: path.join(folder, 'examples.log'),
  });
  await examples.untilLog(/Examples on http/);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await examples?.end('SIGKILL');
  await bound?.stop();
});

const contexts = [];
afterEach(() => Promise.all(contexts.splice(0).map((context) => context.close())));

/** The example in a browser of its own. */
async function open(name) {
  const context = await browser.newContext();
  contexts.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.on('pageerror', (error) => assert.fail(error));
  await page.goto(`${url}${name}.html`);
  return page;
}

const connected = (page) => page.locator('#state[data-state=connected]').waitFor();
const line = (page, text) => page.locator('#lines li').filter({ hasText: text });

test('basic: all pages hear what one says, and know how many they are', async () => {
  const pages = [await open('basic'), await open('basic')];
  await Promise.all(pages.map(connected));
  await Promise.all(pages.map((page) => page.locator('#count', { hasText: /^2$/ }).waitFor()));
  await pages[0].fill('input', 'Hello, all');
  await pages[0].click('button');
  await Promise.all(pages.map((page) => line(page, 'Hello, all').waitFor()));
});

test('whisper: the answer comes to the page that has asked alone', async () => {
  const [asking, other] = [await open('whisper'), await open('whisper')];
  await Promise.all([asking, other].map(connected));
  for (const [page, question] of [[other, 'Is it?'], [asking, 'How much?'], [other, 'Is it so?']]) {
    await page.fill('input', question);
    await page.click('button');
    await line(page, `${question} ${question.length * 6}`).waitFor();
  }
  assert.equal(await line(asking, '').count(), 1);
  assert.equal(await line(other, '').count(), 2);
});

test('bind key: ana hears the water level, luis does not', async () => {
  const [ana, luis] = [await open('bind-key'), await open('bind-key')];
  await ana.click('text=I am ana');
  await luis.click('text=I am luis');
  await Promise.all([ana, luis].map(connected));
  await luis.click('#measure');
  await line(ana, /ana hears: \d+ cm/).waitFor();
  await luis.click('text=I am ana');
  await until('the other browser hears it as ana', async () => {
    await ana.click('#measure');
    return (await line(luis, /ana hears: \d+ cm/).count()) > 0;
  });
  assert.equal(await line(luis, 'luis hears').count(), 0);
});
