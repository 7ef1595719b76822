'use strict';

// The page "Every way in": each transport brings what PHP emits to a real browser, with code of its own and with the client
// package, and what its Copy button copies works in a page that has nothing else.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { newFolder, source } = require('../system/lib/paths');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { inChromium } = require('./lib/chromium');
const { startQuickstart } = require('./lib/quickstart');

const WAYS = ['frames', 'sse', 'websocket', 'poll'];
const BURST = 50;

/** The page in a browser of its own. */
class Ways {
  faults = [];

  static open(url) {
    const ways = new Ways();
    return inChromium(async (browser) => {
      ways.close = () => browser.close();
      ways.context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
      ways.context.setDefaultTimeout(LIMIT_MS);
      ways.page = await ways.context.newPage();
      ways.page.on('pageerror', (error) => ways.faults.push(String(error)));
      ways.page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) ways.faults.push(message.text());
      });
      await ways.page.goto(url);
      await ways.untilConnected();
      return ways;
    });
  }

  /** The transports that there are: WebSockets follow no redirection. */
  async names() {
    const cards = await this.page.locator('[data-way]').all();
    return Promise.all(cards.map((card) => card.getAttribute('data-way')));
  }

  card(way) {
    return this.page.locator(`[data-way=${way}]`);
  }

  async number(way, figure) {
    return Number((await this.card(way).locator(`.${figure}`).textContent()).replace(',', ''));
  }

  async numbers(figure) {
    return Promise.all((await this.names()).map((way) => this.number(way, figure)));
  }

  untilAll(figure, condition) {
    return until(`${figure} of all ways is as it should be`, async () => (await this.numbers(figure)).every(condition));
  }

  async untilConnected() {
    for (const way of await this.names()) await this.card(way).locator('.state[data-state=connected]').waitFor();
  }

  /** Since it was asked last, no script failed, and none was forbidden. */
  assertNoFaults() {
    assert.deepEqual(this.faults.splice(0), []);
  }

  /** What the button copies, with this listing shown. */
  async copy(listing) {
    await this.page.check(`[name=listing][value=${listing}]`);
    await this.page.evaluate(() => {
      const button = document.getElementById('copy');
      window.hasCopied = false;
      new MutationObserver(() => (window.hasCopied ||= button.textContent === 'Copied')).observe(button, { childList: true });
    });
    await this.page.click('#copy');
    await this.page.waitForFunction(() => window.hasCopied); // it is to be seen for two seconds only
    return this.page.evaluate(() => navigator.clipboard.readText());
  }
}

async function post(env, topic, type, detail) {
  const body = JSON.stringify({ ep: [topic], e: { type, detail } });
  const headers = { Authorization: `Bearer ${env.ESN_PUBLISH_TOKEN}` };
  const answer = await request(env.ESN_EVENT_URL, { method: 'POST', agent: false, headers, body });
  assert.equal(answer.status, 200, answer.text);
}

/** Puts code into a page of the same site that has nothing else, and gives what it says on the console. */
async function paste(ways, { state, env }, code) {
  const html = `<!doctype html><title>A page</title><script type="module">${code}</script>`;
  fs.writeFileSync(`${state}/source/deploy/demo/pasted.html`, html);
  const page = await ways.context.newPage();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  await page.goto(`${env.ESN_DEMO_URL}pasted.html`);
  return { said, close: () => page.close() };
}

/** The bytes of the first event on the topic after `connected`, as this way brings them to a client that is no browser. */
async function rawEvent(env, way, topic) {
  const url = way === 'sse' ? `${env.ESN_BASE_URL}sse?ep=${topic}` : env.ESN_BASE_URL;
  const init = way === 'sse' ? {} : { method: 'POST', body: JSON.stringify({ ep: [topic] }) };
  const answer = await fetch(url, init);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  await reader.read();
  await post(env, topic, 'probe', { number: 7 });
  const { value } = await reader.read();
  await reader.cancel();
  return value;
}

const servers = {
  'nginx, accel': ['--web', 'nginx', '--handoff', 'accel'],
  'Apache, local': ['--web', 'apache', '--handoff', 'local'],
  'Apache, redirect': ['--web', 'apache', '--handoff', 'redirect'],
};

describe('every way in', () => {
  let folder;
  before(() => (folder = newFolder('ways')));

  for (const [server, options] of Object.entries(servers)) {
    describe(server, () => {
      const names = WAYS.filter((way) => way !== 'websocket' || !options.includes('redirect'));
      let started;
      let env;
      before(async () => {
        started = await startQuickstart(folder, options);
        env = started.env;
      });
      after(async () => assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart'));

      for (const [by, query] of [['without a library', ''], ['with the client package', '?client']]) {
        describe(by, () => {
          let ways;
          before(async () => (ways = await Ways.open(`${env.ESN_DEMO_URL}ways/${query}`)));
          after(() => ways?.close());
          afterEach(() => ways.assertNoFaults());

          test('each brings every event, and shows how long that took, and how many bytes', async () => {
            await ways.page.uncheck('#steady');
            await ways.page.click('#burst');
            await ways.page.locator('#burst:enabled').waitFor();
            await ways.untilAll('heard', (heard) => heard >= BURST);
            await ways.untilAll('missed', (missed) => missed === 0);
            assert.deepEqual(await ways.names(), names);
            assert.deepEqual(await ways.numbers('reconnections'), names.map(() => 0));
            assert.match(await ways.page.locator('#answer').textContent(), /^PHP’s own answer took [\d.,]+ ms$/);
            for (const way of names) {
              const card = ways.card(way);
              assert.ok((await ways.number(way, 'median')) > 0);
              assert.match(await card.locator('.before').textContent(), /^[\d.,]+ ms$/);
              assert.match(await card.locator('.worst').textContent(), /^[\d.,]+ ms$/);
              assert.ok((await ways.number(way, 'kept')) >= BURST);
              assert.match(await card.locator('.sparkline .line').getAttribute('d'), /^M\d/);
            }
            // A browser doesn't tell what came from elsewhere.
            const known = names.filter((way) => way !== 'poll' || !options.includes('redirect'));
            for (const way of known) assert.ok((await ways.number(way, 'bytes')) > 100);
          });

          for (const way of names) {
            test(`the code for ${way} works where it is pasted`, async () => {
              const pasted = await paste(ways, started, await ways.copy(way));
              await until('it is connected', () => pasted.said.includes('connected'));
              await post(env, 'news/today', 'headline', `by ${way}`);
              await until('it hears', () => pasted.said.includes(`news/today headline by ${way}`));
              await pasted.close();
            });
          }
        });
      }
    });
  }

  describe('the page itself', () => {
    let started;
    let ways;
    before(async () => (started = await startQuickstart(folder)));
    after(async () => assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart'));
    beforeEach(async () => (ways = await Ways.open(`${started.env.ESN_DEMO_URL}ways/`)));
    afterEach(async () => {
      await ways?.close();
      ways?.assertNoFaults();
    });

    test('the PHP that it shows is the one that emits', async () => {
      assert.equal(await ways.copy('php'), fs.readFileSync(`${source}/deploy/demo/ways/probe.php`, 'utf8'));
    });

    test('copies where there is no clipboard for scripts too', async () => {
      await ways.page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error('forbidden'))));
      assert.match(await ways.copy('sse'), /new EventSource/);
    });

    for (const way of ['frames', 'sse']) {
      test(`an event by ${way} has as many bytes as it says`, async () => {
        const raw = await rawEvent(started.env, way, `bytes/${way}`);
        const count = ([name, json]) => import('/ways/bytes.js').then(({ STREAMED }) => STREAMED[name](json));
        assert.equal(await ways.page.evaluate(count, [way, raw.match(/{.*}/)[0]]), raw.length);
      });
    }

    test('the daemon is killed: each way comes back, once, and misses nothing', async () => {
      process.kill(Number(started.env.ESN_FANOUT_PID), 'SIGKILL');
      await ways.untilAll('reconnections', (count) => count === 1);
      const heard = await ways.numbers('heard');
      await until('more is heard', async () => (await ways.numbers('heard')).every((now, i) => now > heard[i] + 1));
      await ways.untilAll('missed', (count) => count === 0);
      await ways.untilConnected();
    });

    test('a second tab waits for the first, which leaves it no connections', async () => {
      const second = await ways.context.newPage();
      await second.goto(`${started.env.ESN_DEMO_URL}ways/`);
      await second.locator('#answer', { hasText: 'the other tab' }).waitFor();
      assert.equal(await second.locator('.state[data-state=connected]').count(), 0);
      await ways.page.close();
      ways.page = second;
      await ways.untilConnected();
    });

    test('no percentile of less than ten', async () => {
      const percentile = (count) =>
        import('/ways/way.js').then((way) => way.percentile(Array.from({ length: count }, (_, i) => i), 0.5));
      assert.equal(await ways.page.evaluate(percentile, 9), undefined);
      assert.equal(await ways.page.evaluate(percentile, 10), 4);
    });

    for (const width of [1280, 820, 390]) {
      test(`the four numbers stand on one line at ${width} pixels`, async () => {
        await ways.page.setViewportSize({ width, height: 800 });
        const boxes = await ways.page.evaluate(() => {
          const strip = [...document.querySelectorAll('[data-median]')];
          const shown = strip[0].offsetParent ? strip : [...document.querySelectorAll('.way .median')];
          return shown.map((one) => one.getBoundingClientRect()).map(({ top, left }) => [Math.round(top), Math.round(left)]);
        });
        assert.equal(boxes.length, 4);
        assert.equal(new Set(boxes.map(([top]) => top)).size, 1, JSON.stringify(boxes));
        assert.equal(new Set(boxes.map(([, left]) => left)).size, 4, JSON.stringify(boxes));
      });
    }

    test('fits a phone', async () => {
      await ways.page.setViewportSize({ width: 360, height: 640 });
      assert.equal(await ways.page.evaluate(() => document.documentElement.scrollWidth), 360);
    });
  });
});
