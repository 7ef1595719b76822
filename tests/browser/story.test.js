'use strict';

// Two users, each in a browser with a PHP session, subscribe to CASA/NIVEL_AGUA with bind keys of their own. Only the
// first may hear it. After a change in the database the second hears it too, on the stream that was open all along.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { after, before, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { newFolder, tool } = require('../system/lib/paths');
const { LIMIT_MS, until } = require('../system/lib/wait');
const { inChromium } = require('./lib/chromium');
const { startQuickstart } = require('./lib/quickstart');

const TOPIC = 'CASA/NIVEL_AGUA';

/** Changes the database as an operator would, past everything that was started. */
function changeRights(state, env, sql) {
  if (env.ESN_RIGHTS_DSN.startsWith('sqlite:')) {
    execFileSync(tool('sqlite3', 'sqlite3'), ['-bail', env.ESN_RIGHTS_DSN.slice('sqlite:'.length)], { input: sql });
    return;
  }
  const [, socket, database] = env.ESN_RIGHTS_DSN.match(/unix_socket=([^;]*);dbname=([^;]*)/);
  execFileSync(
    tool('mariadb', 'mariadb-client'),
    ['--no-defaults', `--socket=${socket}`, `--user=${env.ESN_RIGHTS_USER}`, database],
    { input: sql, env: { ...process.env, MYSQL_PWD: env.ESN_RIGHTS_PASSWORD } },
  );
}

/** A browser of its own, logged in through PHP's session, on the page of the water level. */
const openPage = (env, user) => inChromium((browser) => logIn(browser, env, user));

async function logIn(browser, env, user) {
  const context = await browser.newContext({ ignoreHTTPSErrors: env.ESN_DEMO_URL.startsWith('https:') });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const faults = [];
  const connections = []; // all that were asked for
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (sent) => sent.url().startsWith(env.ESN_BASE_URL) && connections.push(sent));
  page.on('websocket', (socket) => connections.push(socket));
  await page.goto(`${env.ESN_DEMO_URL}house/page.php`);
  if (user !== 'ana') {
    // Its session began with her.
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.click(`button[value=${user}]`);
  }
  await page.locator('#state[data-state=connected]').waitFor();
  return {
    page,
    newPage: () => context.newPage(),
    faults,
    connections,
    heard: (type) => page.locator('#heard li').filter({ hasText: `${TOPIC}: ${type} ` }),
    close: () => browser.close(),
  };
}

/** The second one's session began as the first one: that page's stream may not be gone yet. */
async function untilTwoStreams(env) {
  const headers = { Authorization: `Bearer ${env.ESN_ADMIN_TOKEN}` };
  await until('the page of before the log-out is gone', async () => {
    const answer = await request(`${env.ESN_BASE_URL}connections`, { agent: false, headers });
    return answer.json['@TOTAL@'] === 2;
  });
}

async function measure(env, targeted = false) {
  const answer = await request(`${env.ESN_DEMO_URL}house/measure.php`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ targeted }),
    agent: false,
  });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.receivers;
}

const ways = {
  'nginx, SQLite, accel, HTTPS': ['--web', 'nginx', '--acl', 'sqlite', '--handoff', 'accel', '--tls'],
  'Apache, MariaDB, local': ['--web', 'apache', '--acl', 'mariadb', '--handoff', 'local'],
  'Apache, MariaDB, redirect, HTTPS': ['--web', 'apache', '--acl', 'mariadb', '--handoff', 'redirect', '--tls'],
};

describe('the story of two users', () => {
  let folder;
  let temporary;
  let ofAnother;
  before(() => {
    folder = newFolder('story');
    fs.chmodSync(folder, 0o755); // quickstart's programs are not root's
    temporary = `${folder}/tmp`;
    ofAnother = `${temporary}/#sql-temptable-1-1-1.MAD`;
    fs.mkdirSync(temporary);
    fs.chmodSync(temporary, 0o777);
    fs.writeFileSync(ofAnother, '');
  });
  after(() => {
    if (!process.env.ESN_TEST_LOGS) {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });

  for (const [name, options] of Object.entries(ways)) {
    test(name, async (t) => {
      let started;
      let ana;
      let luis;
      const change = (sql) => changeRights(started.state, started.env, sql);

      t.before(async () => {
        started = await startQuickstart(folder, options, { TMPDIR: temporary });
        change(`UPDATE registered_topics SET sub = '["ana"]' WHERE topic = '${TOPIC}';`);
        [ana, luis] = await Promise.all(['ana', 'luis'].map((user) => openPage(started.env, user)));
        await untilTwoStreams(started.env);
      });
      t.after(async () => {
        await Promise.all([ana, luis].map((user) => user?.close()));
        assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart');
      });

      await t.test('a table that another MariaDB of the machine has in the temporary folder stays', () => {
        assert.ok(fs.existsSync(ofAnother));
      });

      await t.test('the second never hears what it may not', async () => {
        assert.equal(await measure(started.env), 1);
        assert.equal(await measure(started.env), 1);
        await until('the first hears both', async () => (await ana.heard('level').count()) === 2);
      });

      await t.test('after a change in the database it hears the next, without another request', async () => {
        const connections = () => [ana, luis].map((user) => user.connections.length);
        const before = connections();
        change(`UPDATE registered_topics SET sub = '["ana", "luis"]' WHERE topic = '${TOPIC}';`);
        assert.equal(await measure(started.env), 2);
        await until('the first hears the third', async () => (await ana.heard('level').count()) === 3);
        await luis.heard('level').first().waitFor();
        assert.equal(await luis.heard('level').count(), 1, 'and nothing of what was said before');
        assert.deepEqual(connections(), before);
      });

      await t.test('and no more when the right is taken away', async () => {
        change(`UPDATE registered_topics SET sub = '["luis"]' WHERE topic = '${TOPIC}';`);
        assert.equal(await measure(started.env), 1);
        await until('the second hears it', async () => (await luis.heard('level').count()) === 2);
        assert.equal(await ana.heard('level').count(), 3);
      });

      await t.test('who follows the topic is told while on another page', async () => {
        change(`DELETE FROM topic_followers;
          INSERT INTO topic_followers (topic_id, user_id) SELECT id, 'luis' FROM registered_topics WHERE topic = '${TOPIC}';`);
        for (const user of [ana, luis]) {
          await user.page.click('#turn');
          await user.page.locator('#state[data-state=connected]').waitFor();
        }
        await measure(started.env);
        await measure(started.env, true);
        await luis.heard('alarm').waitFor();
        assert.equal(await luis.heard('level').count(), 0, 'its page is not about the level');
        assert.equal(await ana.heard('alarm').count(), 0);
      });

      await t.test('a question is answered with a whisper, which nobody else hears', async () => {
        const pages = await Promise.all([ana, luis].map((user) => user.newPage()));
        for (const page of pages) {
          page.setDefaultTimeout(LIMIT_MS);
          await page.goto(`${started.env.ESN_DEMO_URL}ask/`);
          await page.locator('#state[data-state=connected]').waitFor();
        }
        for (const [page, number] of [[pages[0], '1001'], [pages[1], '17']]) {
          await page.fill('input[name=number]', number);
          await page.click('#ask button');
          await page.locator('#answers li').waitFor();
        }
        assert.deepEqual(await pages[0].locator('#answers li').allTextContents(), ['1001 = 7 × 11 × 13']);
        assert.deepEqual(await pages[1].locator('#answers li').allTextContents(), ['17 = 17']);
        await Promise.all(pages.map((page) => page.close()));
      });

      await t.test('two sessions side by side in one window, from the start', async () => {
        const page = await ana.newPage();
        page.setDefaultTimeout(LIMIT_MS);
        await page.goto(`${started.env.ESN_DEMO_URL}house/`);
        const [left, right] = ['left', 'right'].map((seat) => page.frameLocator(`iframe[src$="seat=${seat}"]`));
        await right.locator('#state[data-state=connected]').waitFor();
        await left.locator('#state[data-state=connected]').waitFor();
        await page.click('#measure');
        await right.locator('#heard li').first().waitFor();
        assert.equal(await left.locator('#heard li').count(), 0);
        await page.close();
      });

      await t.test('no script failed', () => {
        assert.deepEqual([...ana.faults, ...luis.faults], []);
      });
    });
  }
});
