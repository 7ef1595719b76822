'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { after, afterEach, before, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { newFolder } = require('../system/lib/paths');
const { run } = require('../system/lib/program');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { inChromium } = require('./lib/chromium');
const { startQuickstart } = require('./lib/quickstart');

/** The demo in a browser of its own. */
class Demo {
  faults = [];

  /** With `options` of a browser's context. Without `life` the page says nothing by itself. */
  static open(url, { life = false, ...options } = {}) {
    const demo = new Demo();
    return inChromium(async (browser) => {
      demo.browser = browser;
      demo.page = await browser.newPage(options);
      demo.page.setDefaultTimeout(LIMIT_MS);
      demo.page.on('pageerror', (error) => demo.faults.push(String(error)));
      await demo.page.goto(life ? url : `${url}?life=off`);
      await demo.page.locator('#state[data-state=connected]').waitFor();
      demo.name = await demo.page.locator('#clid').textContent();
      return demo;
    });
  }

  /** Says it with the form, and waits for what PHP answers, after which the form is empty. */
  async say(text) {
    await this.page.fill('input[name=text]', text);
    await this.page.click('#say button');
    await this.page.waitForFunction(() => document.querySelector('input[name=text]').value === '');
  }

  connid() {
    return this.page.locator('#connid').textContent();
  }

  /** Entries of the list of what arrived. */
  entries(text) {
    return this.page.locator('#events li').filter({ hasText: text });
  }

  person(name) {
    return this.page.locator('#people li').filter({ hasText: name });
  }

  close() {
    return this.browser.close();
  }
}

describe('the demo, started by quickstart, in separate browsers', () => {
  let started;
  let env;
  let ana;
  let beto;

  before(async () => {
    started = await startQuickstart(newFolder('quickstart'));
    env = started.env;
    ana = await Demo.open(env.ESN_DEMO_URL);
    beto = await Demo.open(env.ESN_DEMO_URL);
  });

  after(async () => {
    await Promise.all([ana, beto].map((demo) => demo?.close()));
    const code = await started?.quickstart.end();
    assert.equal(code, 0, 'exit code of quickstart');
    assert.match(fs.readFileSync(`${started.state}/log/esn-outbox.log`, 'utf8'), / stopped$/m, 'it was waited for');
    await assert.rejects(request(env.ESN_DEMO_URL, { agent: false }), { code: 'ECONNREFUSED' });
  });

  afterEach(() => assert.deepEqual([ana, beto].flatMap(({ faults }) => faults.splice(0)), [], 'no script failed'));

  test('DIR/env says where everything is', async () => {
    assert.match(env.ESN_BASE_URL, /^http:.*\/$/);
    assert.equal((await request(`${env.ESN_BASE_URL}healthz`, { agent: false })).status, 200);
    await until('it has the two connections', async () => {
      const state = await request(`${env.ESN_FANOUT_URL}state`, {
        agent: false,
        headers: { Authorization: `Bearer ${env.ESN_ADMIN_TOKEN}` },
      });
      return state.json.connections === 2;
    });
    assert.equal(fs.existsSync(env.ESN_CONF), true);
    process.kill(Number(env.ESN_FANOUT_PID), 0);
  });

  test('each shows both as present', async () => {
    for (const demo of [ana, beto]) {
      await demo.person(ana.name).waitFor();
      await demo.person(beto.name).waitFor();
    }
    assert.notEqual(await ana.connid(), await beto.connid());
  });

  test('what PHP emits for one browser appears in the other', async () => {
    const text = `it's ''9'' ñandú 😀 <b>&amp; \u2028`;
    await ana.say(text);
    for (const demo of [ana, beto]) {
      const entry = demo.entries('ñandú');
      await entry.waitFor();
      assert.equal(await entry.locator('.text').textContent(), text);
      assert.equal(await entry.locator('.topic').textContent(), 'demo/plaza');
      assert.equal(await demo.page.locator('#events b').count(), 0, 'it is text, not markup');
    }
    await ana.page.locator('#answer[data-result=good]').waitFor();
    assert.match(await ana.page.locator('#answer').textContent(), /\b2\b/);
  });

  test('what is written while an answer is awaited stays', async () => {
    let answered;
    const awaited = new Promise((resolve) => (answered = resolve));
    await ana.page.route('**/emit.php', async (route) => {
      await awaited;
      await route.continue();
    });
    await ana.page.evaluate(() => (document.querySelector('#answer').textContent = ''));
    await ana.page.fill('input[name=text]', 'the first');
    await ana.page.click('#say button');
    await ana.page.fill('input[name=text]', 'the next');
    answered();
    await ana.page.waitForFunction(() => document.querySelector('#answer').textContent !== '');
    await beto.entries('the first').waitFor();
    assert.equal(await ana.page.inputValue('input[name=text]'), 'the next');
    await ana.page.fill('input[name=text]', '');
    await ana.page.unroute('**/emit.php');
  });

  test('a whisper reaches the named connection alone', async () => {
    await ana.page.check('input[name=way][value=whisper]');
    await ana.page.fill('input[name=connid]', await beto.connid());
    await ana.say('only for you');
    await beto.entries('only for you').waitFor();
    await ana.page.check('input[name=way][value=shout]');
    await ana.say('for all again');
    await ana.entries('for all again').waitFor();
    assert.equal(await ana.entries('only for you').count(), 0);
  });

  test('what the page gives to copy makes something appear: in a terminal, in PHP', async () => {
    const shell = await ana.page.locator('#shell').textContent();
    const php = await ana.page.locator('#php').textContent();
    const files = [`${started.state}/hello.sh`, `${started.state}/hello.php`];
    fs.writeFileSync(files[0], shell);
    fs.writeFileSync(files[1], `<?php\n${php}`);
    for (const [command, text] of [[['bash', files[0]], 'It works'], [['php', files[1]], 'From PHP']]) {
      const ended = await run(command, { env: { ESN_EVENT_URL: env.ESN_EVENT_URL, ESN_PUBLISH_TOKEN: env.ESN_PUBLISH_TOKEN } });
      assert.equal(ended.code, 0, ended.stdout + ended.stderr);
      for (const demo of [ana, beto]) await demo.entries(text).waitFor();
    }
  });

  test('a thousand events: each is counted, the line has its peak', async () => {
    const total = () => beto.page.locator('#total').textContent().then((text) => Number(text.replace(',', '')));
    const before = await total();
    await ana.page.click('#burst');
    await until('all have arrived', async () => (await total()) >= before + 1000);
    await ana.page.locator('#burst:enabled').waitFor();
    await until('the line shows them', async () => Number(await beto.page.locator('#most').textContent()) > 100);
  });

  test('the demo lives by itself where it is allowed to, and says so', async () => {
    const carla = await Demo.open(env.ESN_DEMO_URL, { life: true });
    await carla.person('demo-visitor').locator('small', { hasText: 'demo' }).waitFor();
    await carla.page.locator('#events .demo').first().waitFor();
    await carla.close();
    for (const name of ['demo-visitor', carla.name]) await ana.person(name).waitFor({ state: 'detached' });
  });

  test('an event posted by a backend appears in both', async () => {
    const answer = await request(env.ESN_EVENT_URL, {
      method: 'POST',
      agent: false,
      headers: { Authorization: `Bearer ${env.ESN_PUBLISH_TOKEN}` },
      body: JSON.stringify({ ep: ['demo/backend'], e: { type: 'news', detail: { answer: 42 } } }),
    });
    assert.equal(answer.status, 200, answer.text);
    for (const demo of [ana, beto]) {
      await demo.entries('{"answer":42}').waitFor();
    }
  });

  test('who leaves is no longer present, who comes is', async () => {
    const carla = await Demo.open(env.ESN_DEMO_URL);
    await ana.person(carla.name).waitFor();
    await carla.close();
    await ana.person(carla.name).waitFor({ state: 'detached' });
  });

  test('the daemon is upgraded, twice: quickstart goes on with the new one, and no page notices', async () => {
    const esnctl = `${started.state}/install/bin/esnctl`;
    const { length } = started.quickstart.output();
    for (const words of ['after one', 'after two']) {
      const before = env.ESN_FANOUT_PID;
      const upgraded = await run([esnctl, 'upgrade'], { env: { ESN_CONF: env.ESN_CONF } });
      assert.equal(upgraded.code, 0, upgraded.stderr);
      await until('the environment names the new one', () => {
        env = started.readEnv();
        return env.ESN_FANOUT_PID !== before;
      });
      await ana.say(words);
      await beto.entries(words).waitFor();
    }
    const said = started.quickstart.output().slice(length);
    assert.match(said, /esn-fanout goes on as pid \d+/);
    assert.doesNotMatch(said, /starting it again/);
  });

  test('the daemon is killed: it is started again, the pages find it and events go on', async () => {
    const killed = Number(env.ESN_FANOUT_PID);
    process.kill(killed, 'SIGKILL');
    await until('another daemon runs', () => {
      env = started.readEnv();
      return Number(env.ESN_FANOUT_PID) !== killed;
    });
    await until('both pages are connected again', async () => {
      const answer = await request(`${env.ESN_FANOUT_URL}connections`, {
        agent: false,
        headers: { Authorization: `Bearer ${env.ESN_ADMIN_TOKEN}` },
      });
      return answer.json['@TOTAL@'] === 2;
    });
    await ana.say('back again');
    await beto.entries('back again').waitFor();
    await ana.entries('back again').waitFor();
  });
});
