'use strict';

// All pages of the demo: their names, both languages, both themes, three widths, and what axe-core finds in them.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { newFolder } = require('../system/lib/paths');
const { LIMIT_MS } = require('../system/lib/wait');
const { inChromium } = require('./lib/chromium');
const { startQuickstart } = require('./lib/quickstart');

const AXE = require.resolve('axe-core/axe.min.js');
const WIDTHS = [1280, 820, 390];
const NAMES = {
  en: { '': 'The demo', 'ways/': 'Every transport', 'house/': 'Who may hear', 'ask/': 'Ask and answer' },
  es: { '': 'La demo', 'ways/': 'Todos los transportes', 'house/': 'Quién puede oír', 'ask/': 'Pregunta y respuesta' },
};

describe('the pages of the demo', () => {
  let started;
  let browser;
  before(async () => {
    started = await startQuickstart(newFolder('pages'));
    browser = await inChromium((one) => one);
  });
  after(async () => {
    await browser?.close();
    assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart');
  });

  async function open(path, options = {}) {
    const context = await browser.newContext({ locale: 'en', ...options });
    context.setDefaultTimeout(LIMIT_MS);
    const page = await context.newPage();
    await page.goto(started.env.ESN_DEMO_URL + path);
    return page;
  }

  for (const [language, names] of Object.entries(NAMES)) {
    for (const [path, name] of Object.entries(names)) {
      test(`"${name}": one name in title, heading and links; its language is said`, async () => {
        const page = await open(path, { locale: language });
        assert.equal(await page.title(), `${name} · es-web-notify`);
        assert.equal(await page.locator('h1').first().textContent(), name);
        assert.equal(await page.locator('html').getAttribute('lang'), language);
        assert.deepEqual(await page.locator('nav a').allTextContents(), Object.values(names));
        assert.equal(await page.locator('nav a[aria-current=page]').textContent(), name);
        assert.equal(await page.locator('[role=log] > ol').count(), ['', 'ask/'].includes(path) ? 1 : 0);
        await page.context().close();
      });

      for (const colorScheme of ['light', 'dark']) {
        test(`"${name}", ${colorScheme}: nothing for axe-core to find, no width that is too small`, async () => {
          const page = await open(path, { locale: language, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
          await page.addScriptTag({ path: AXE });
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: 844 });
            const { violations } = await page.evaluate(() => window.axe.run());
            const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`);
            assert.deepEqual(found, [], `${width} pixels`);
            assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width} pixels`);
          }
          await page.context().close();
        });
      }
    }
  }

  test('the sensor and its button are seen without scrolling', async () => {
    for (const width of WIDTHS) {
      const page = await open('house/', { viewport: { width, height: 640 } });
      const { y, height } = await page.locator('#measure').boundingBox();
      assert.ok(y + height < 640, `${width} pixels`);
      const seats = await Promise.all(['left', 'right'].map((seat) => page.frameLocator(`[src$="${seat}"]`).locator('.who strong').textContent()));
      assert.deepEqual(seats, ['ana', 'luis']);
      await page.context().close();
    }
  });

  test('documents, source and version', async () => {
    const page = await open('');
    const links = await page.locator('footer a').evaluateAll((all) => all.map(({ href }) => href));
    assert.equal(links.length, 4);
    for (const link of links) {
      const answer = await request(link, { agent: false });
      assert.equal(answer.status, 200, link);
      assert.match(answer.headers['content-type'], /^text\/plain/);
      assert.ok(answer.text.length > 100);
    }
    assert.match(await page.locator('footer').textContent(), /Version \d+\.\d+\.\d+/);
    for (const name of ['docs/../configure.ac', '/etc/passwd', 'deploy/quickstart', 'docs/../../env', '']) {
      const answer = await request(`${started.env.ESN_DEMO_URL}file.php?name=${encodeURIComponent(name)}`, { agent: false });
      assert.equal(answer.status, 404, name);
    }
    await page.context().close();
  });

  const languages = {
    'es-MX,es;q=0.9,en;q=0.8': 'es',
    'en-GB,en;q=0.9,es;q=0.8': 'en',
    'fr,es;q=0.3': 'es',
    'fr, de;q=0.5': 'en',
    'en;q=0.2, ES;q=0.7': 'es',
    'es;q=0, en;q=0.1': 'en',
    '': 'en',
    [`en${',x'.repeat(2000)}`]: 'en',
  };
  for (const [accepted, language] of Object.entries(languages)) {
    test(`Accept-Language ${accepted.slice(0, 40)}: ${language}`, async () => {
      const answer = await request(started.env.ESN_DEMO_URL, { agent: false, headers: { 'Accept-Language': accepted } });
      assert.match(answer.text, new RegExp(`<html lang="${language}">`));
      assert.match(answer.headers.vary, /Accept-Language/);
    });
  }
});
