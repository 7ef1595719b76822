'use strict';

// What docs/clients.md says to copy, copied: pages in Chromium, commands in a shell.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { source } = require('../system/lib/paths');
const { freePort } = require('../system/lib/ports');
const { Program } = require('../system/lib/program');
const { Stack } = require('../system/lib/stack');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { launch, servePages } = require('./lib/pages');

const text = fs.readFileSync(path.join(source, 'docs/clients.md'), 'utf8');

/** The blocks of code of a language, by the heading above them. */
function blocks(language) {
  const found = {};
  for (const part of text.split(/^##+ /m)) {
    const [heading] = part.split('\n');
    for (const [, code] of part.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))) found[heading] = code;
  }
  return found;
}

let stack;
let pages;
let browser;
let listenLines;
const given = {};

before(async () => {
  listenLines = `127.0.0.1:${await freePort()}`;
  stack = await Stack.start('document', { handlers: 1, config: { fanout: { listen_lines: listenLines } } });
  pages = await servePages(given);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  pages?.stop();
  await stack?.stop();
});

/** Says the event until it was heard: some ways in do not say when they are there. */
const sayUntil = (what, isHeard) =>
  until(what, async () => {
    await stack.publish('news/today', 'headline', 'It works');
    return isHeard();
  });

/** Ends a shell and what it has started, unless they have ended by themselves, as a poll does. */
function endAll(program) {
  try {
    for (const pid of [...program.children(), program.pid]) process.kill(pid, 'SIGTERM');
  } catch (error) {
    assert.ok(['ENOENT', 'ESRCH'].includes(error.code), error);
  }
}

for (const heading of ['A page', 'EventSource', 'A plain WebSocket']) {
  test(`${heading}: the page hears the event`, async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    const said = [];
    page.on('console', async (message) => {
      const values = await Promise.all(message.args().map((one) => one.jsonValue().catch(() => undefined)));
      said.push(JSON.stringify(values));
    });
    const code = blocks('html')[heading].replaceAll('BROKER', `${stack.url}/`);
    given['/page.html'] = code;
    await page.goto(`${pages.url}page.html`);
    await sayUntil('it is shown', async () => {
      const shown = await page.locator('body').textContent();
      return shown.includes('It works') && heading === 'A page' ? true : said.some((one) => one.includes('It works'));
    });
    await page.close();
    await stack.untilTotal(0);
  });
}

for (const command of [...blocks('sh').curl.trim().split('\n'), blocks('sh')['Raw TCP'].trim(), 'node']) {
  test(`the shell hears the event: ${command.split('#')[0].trim()}`, async () => {
    const folder = path.join(stack.folder, `shell-${Math.random()}`);
    fs.mkdirSync(folder);
    const [host, port] = listenLines.split(':');
    let words = ['bash', '-c', command.replace('127.0.0.1 8011', `${host} ${port}`)];
    if (command === 'node') {
      const file = path.join(folder, 'listen.mjs');
      fs.writeFileSync(file, blocks('js').Node.replace('./clients/js', path.join(source, 'clients/js')));
      words = [process.execPath, file];
    }
    const listener = new Program('listener', words, {
      log: path.join(folder, 'output'),
      env: { ESN_BASE_URL: `${stack.url}/` },
      stdin: 'pipe',
    });
    await sayUntil('it is printed', () => listener.output().includes('It works'));
    assert.match(listener.output(), /headline/);
    listener.stdin.end();
    endAll(listener);
    await listener.ended;
    await stack.untilTotal(0);
  });
}
