'use strict';

// The operator's window in a browser: it shows what the daemon does, in both languages and themes, on small screens and by keyboard.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, afterEach, before, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { Stack } = require('../system/lib/stack');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { inChromium } = require('./lib/chromium');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

describe('the window', () => {
  let stack;
  let browser;
  let url;
  before(async () => {
    stack = await Stack.start('window', { handlers: 1 });
    url = `${stack.webUrl}/notify/window`;
    browser = await inChromium((one) => one);
  });
  after(async () => {
    await browser?.close();
    await stack?.stop();
  });
  afterEach(() => stack.untilTotal(0)); // the streams that pages show are those of their own test

  /** The page, entered with both tokens unless told otherwise; complaints of the browser are faults. */
  async function open({ language = 'en-GB', theme = 'light', width = 1280, tokens = true } = {}) {
    const context = await browser.newContext({ locale: language, colorScheme: theme, viewport: { width, height: 900 } });
    context.setDefaultTimeout(LIMIT_MS);
    const page = await context.newPage();
    page.faults = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.faults.push(message.text()));
    page.on('pageerror', (error) => page.faults.push(String(error)));
    await page.goto(url);
    if (tokens) {
      await page.fill('[name=admin]', stack.adminToken);
      await page.fill('[name=publish]', stack.publishToken);
      await page.click('#enter button');
      await page.waitForSelector('#nodeFacts dd');
    }
    page.end = async (expected) => {
      await context.close();
      assert.deepEqual(page.faults.filter((fault) => !expected?.test(fault)), []);
    };
    return page;
  }

  const text = (page, selector) => page.textContent(selector);
  const shows = (page, selector, pattern) =>
    until(`${selector} shows ${pattern}`, async () => pattern.test(await text(page, selector)));

  test('loads nothing of others, and nothing inline', async () => {
    const answer = await request(url, { agent: false });
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
    assert.doesNotMatch(answer.text, /https?:\/\/|<style|<script>|\son[a-z]+=|\sstyle=/);
    for (const name of ['window.css', 'window.js', 'ask.js', 'chart.js', 'words.js']) {
      assert.equal((await request(`${url}/${name}`, { agent: false })).status, 200, name);
    }
    assert.equal((await request(`${url}/other.js`, { agent: false })).status, 404);
  });

  test('wants the admin token', async () => {
    const page = await open({ tokens: false });
    assert.equal(await page.isVisible('#room'), false);
    await page.fill('[name=admin]', 'a wrong one');
    await page.keyboard.press('Enter');
    await shows(page, '#refused', /does not know this admin token/);
    assert.equal(await page.isVisible('#room'), false);
    await page.end(/401/); // the browser's word about it, which may come later than the page's
  });

  test('shows figures, busiest topics and streams, and finds one by user, name, address and topic', async () => {
    const streams = [await stack.subscribe({ ep: ['orders/#'], clid: 'kitchen' }), await stack.subscribe({ ep: ['news'], clid: 'hall' })];
    const page = await open();
    await until('the topic is shown', async () => {
      await stack.publish('orders/4711', 'paid');
      return /orders\/4711/.test(await text(page, '#topicRows'));
    });
    await until('a rate is shown', async () => {
      await stack.publish('orders/4711', 'paid');
      return Number((await text(page, '#tiles .tile:nth-child(1) b')).replace(',', '')) > 0;
    });
    for (const [match, found, missing] of [['kitchen', 'kitchen', 'hall'], ['orders', 'kitchen', 'hall'], [String(streams[1].connid), 'hall', 'kitchen']]) {
      await page.fill('[name=match]', match);
      await page.press('[name=match]', 'Enter');
      await shows(page, '#found', new RegExp(`${found}`));
      await until(`${match} leaves others out`, async () => !(await text(page, '#found')).includes(missing));
    }
    await page.click('#found button');
    await shows(page, '#lifeFacts', /frames.*news/);
    await page.click('#dropStream');
    await shows(page, '#dropNote', /^1 dropped$/);
    await streams[1].ended();
    await streams[0].close();
    await page.end();
  });

  test('asks for nothing while its tab is in the background, and at once when it is looked at again', async () => {
    const page = await open();
    const asked = () => page.evaluate(() => window.asked);
    await page.evaluate(() => {
      const ask = window.fetch;
      Object.assign(window, { asked: 0, answered: 0 });
      window.fetch = (...words) => {
        window.asked++;
        return ask(...words).finally(() => window.answered++);
      };
    });
    await page.clock.install();
    const turn = (hidden) => page.evaluate((now) => {
      Object.defineProperty(document, 'hidden', { configurable: true, value: now });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await turn(false);
    await until('it asks, looked at', async () => {
      await page.clock.runFor(10_000);
      return (await asked()) > 2;
    });

    await turn(true);
    await until('all is answered', () => page.evaluate(() => window.asked === window.answered));
    const before = await asked();
    await page.clock.runFor(60_000);
    assert.equal(await asked(), before);
    await turn(false);
    assert.ok((await asked()) > before);
    await page.end();
  });

  test('listens to a topic, with pause and filter, and sends events', async () => {
    const page = await open();
    await page.fill('#hear [name=topic]', 'window/#');
    await page.press('#hear [name=topic]', 'Enter');
    await shows(page, '#heardNote', /Listening to window\/#/);
    const send = async (type) => {
      await page.fill('#emit [name=topic]', 'window/a');
      await page.fill('#emit [name=type]', type);
      await page.fill('#emit [name=detail]', '{"<b>": 1}');
      await page.click('#emit button');
      await shows(page, '#sent', /^Sent to 1 streams$/);
    };
    await send('first');
    await shows(page, '#heard', /window\/a first \{"<b>":1\}/);
    await page.click('#pause');
    await send('second');
    await shows(page, '#heardNote', /1 while paused/);
    await page.click('#pause');
    await page.fill('#hear [name=filter]', 'third');
    await send('other');
    await send('third');
    await shows(page, '#heard', /third/);
    assert.doesNotMatch(await text(page, '#heard'), /second|other/);
    await page.fill('#emit [name=detail]', '{');
    await page.click('#emit button');
    await shows(page, '#sent', /no JSON/);
    await page.end();
  });

  test('in Spanish, by the browser\'s language and by the button, with each word in both', async () => {
    const page = await open({ language: 'es-MX' });
    assert.equal(await text(page, '#busiest h2'), 'Temas más activos');
    assert.equal(await page.getAttribute('html', 'lang'), 'es');
    await page.click('#language');
    assert.equal(await text(page, '#busiest h2'), 'Busiest topics');
    const { words } = await page.evaluate(() => import('/notify/window/words.js'));
    assert.deepEqual(Object.keys(words.es), Object.keys(words.en));
    await page.end();
  });

  for (const [theme, width] of [['light', 1280], ['dark', 1280], ['light', 390], ['dark', 390]]) {
    test(`${theme}, ${width} px: axe finds nothing, and nothing is cut off`, async () => {
      const stream = await stack.subscribe({ ep: ['a/long/topic/of/many/levels/that/does/not/fit/on/a/small/screen/#'], clid: 'x'.repeat(60) });
      const page = await open({ theme, width });
      await page.click('#search button');
      await shows(page, '#found', /x{60}/);
      await page.click('#found button');
      await shows(page, '#lifeFacts', /a\/long\/topic/);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no scrolling sideways');
      if (process.env.ESN_PICTURES) {
        await page.screenshot({ path: path.join(process.env.ESN_PICTURES, `window-${theme}-${width}.png`), fullPage: true });
      }
      await stream.close();
      await page.end();
    });
  }

  test('all of it by keyboard', async () => {
    const page = await open({ tokens: false });
    await page.focus('[name=admin]');
    await page.keyboard.type(stack.adminToken);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#nodeFacts dd');
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.parentElement.parentElement?.id || document.activeElement.form?.id));
    }
    for (const name of ['language', 'leave', 'match', 'topic', 'filter', 'type', 'detail', 'heard']) {
      assert.ok(reached.has(name), `${name} of ${[...reached]}`);
    }
    await page.end();
  });
});
