'use strict';

// A shop's users in one browser, with real PHP sessions: they log in, hear what is for them alone, and log out in another tab.
// The quick start of the PHP package and docs/identity.md, word for word.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const https = require('node:https');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { request } = require('../system/lib/http');
const { newFolder, source } = require('../system/lib/paths');
const { freePort } = require('../system/lib/ports');
const { run } = require('../system/lib/program');
const { Subscriber } = require('../system/lib/subscriber');
const { until } = require('../system/lib/wait');
const { launch } = require('./lib/browsers');
const { Document, replaced } = require('./lib/document');
const { startQuickstart } = require('./lib/quickstart');
const { browserName } = require('./lib/scene');
const { Shop } = require('./lib/shop');

const USER = (user) => `EventPoint::user('${user}', 'orders/4711')`;
const PRIVATE = "EventPoint::private('orders/4711')";

const identity = new Document('docs/identity.md');

/** The blocks of a shell under these headings, with what the first one prepares; gives what they print. */
async function inShell({ state, env }, ...headings) {
  const [prepare] = identity.blocks('Each in ten lines', 'sh');
  const folder = newFolder('shell');
  const script = [
    'set -u; rm -f heard jar',
    replaced(prepare, { '~/.local/state/es-web-notify/env': `${state}/env` }),
    ...headings.map((heading) => identity.blocks(heading, 'sh')[0]),
  ].join('\n');
  const linked = script.replaceAll('"clients/php/autoload.php"', `"${source}/clients/php/autoload.php"`);
  const ended = await run(['bash', '-c', linked], { cwd: folder, env: { ...process.env, ...env } });
  fs.rmSync(folder, { recursive: true, force: true });
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return ended.stdout;
}

/** The same site over https as well, with a certificate of its own, and [token] cookie: {url, stop}. */
async function startHttps({ state, env }) {
  const port = await freePort();
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = await run(['openssl', ...words, '-keyout', `${state}/conf/https.key`, '-out', `${state}/conf/https.pem`]);
  assert.equal(made.code, 0, made.stderr);
  fs.chmodSync(`${state}/conf/https.key`, 0o644); // nginx runs as quickstart's own user
  const url = `https://127.0.0.1:${port}/`;
  const files = ['nginx.conf', 'es-web-notify.conf'].map((name) => `${state}/conf/${name}`);
  const plainly = files.map((file) => fs.readFileSync(file, 'utf8'));
  const write = (texts) => files.forEach((file, i) => fs.writeFileSync(file, texts[i]));
  const renewNginx = () => process.kill(Number(fs.readFileSync(`${state}/run/nginx.pid`, 'utf8')), 'SIGHUP');
  const restart = async (what, isWanted) => {
    process.kill(supervisorOf(`${state}/install/libexec/esn-subscribe`), 'SIGTERM'); // quickstart starts it again
    await until(`esn-subscribe is there again, ${what}`, async () => {
      const answer = await exchange(`${url}notify/token`);
      return answer?.statusCode === 400 && (answer.headers['set-cookie'] !== undefined) === isWanted;
    });
  };
  const { port: plain } = new URL(env.ESN_DEMO_URL);
  const listen = `listen 127.0.0.1:${plain} backlog=4096;`;
  const secure = `listen 127.0.0.1:${port} ssl; ssl_certificate ${state}/conf/https.pem; ssl_certificate_key ${state}/conf/https.key;`;
  const changes = [{ [listen]: `${listen} ${secure}` }, { 'sign_file = token.keys\n': 'sign_file = token.keys\ncookie = yes\n' }];
  const stop = async () => {
    write(plainly);
    await restart('without cookies', false);
    renewNginx();
  };
  write(plainly.map((text, i) => replaced(text, changes[i])));
  renewNginx();
  await restart('behind https, with cookies', true);
  return { url, stop };
}

/** The process of a program that is no child of another one of it. */
function supervisorOf(file) {
  const parents = new Map();
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, parent] = /^PPid:\t(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
      if (fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] === file) parents.set(pid, parent);
    } catch {
      // it has ended
    }
  }
  return Number([...parents].find(([, parent]) => !parents.has(parent))[0]);
}

/** What becomes of a refresh token that is none; undefined: nobody answers. */
function exchange(url) {
  return new Promise((resolve) => {
    const headers = { Origin: new URL(url).origin, Cookie: '__Host-esn-refresh=none', 'Content-Length': '0' };
    const sent = https.request(url, { method: 'POST', rejectUnauthorized: false, agent: false, headers }, (answer) => {
      answer.resume();
      resolve(answer);
    });
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

const ways = {
  nginx: ['--web', 'nginx', '--redis'],
  Apache: ['--web', 'apache', '--redis'],
};

let folder;
let browser;
before(async () => {
  folder = newFolder('identity');
  fs.chmodSync(folder, 0o755); // quickstart's programs are not root's
  browser = await launch(browserName);
});
after(async () => {
  await browser?.close();
  if (!process.env.ESN_TEST_LOGS) fs.rmSync(folder, { recursive: true, force: true });
});

for (const [web, options] of Object.entries(ways)) {
  describe(`users of a shop behind ${web}, in ${browserName}`, () => {
    let started;
    let shop;
    let profile;
    let desk; // another tab of the same browser
    let watchers;
    before(async () => {
      started = await startQuickstart(folder, options);
      shop = new Shop(started);
    });
    after(async () => assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart'));
    beforeEach(async () => {
      watchers = [];
      profile = await browser.newProfile();
      desk = await profile.openTab();
    });
    afterEach(async () => {
      await profile?.close();
      await Promise.all(watchers.map((watcher) => watcher.close()));
      await until('nobody is connected', async () => (await connections())['@TOTAL@'] === 0);
    });

    const go = (page) => desk.goto(`${shop.url}${page}`);
    const login = (user) => go(`login.php?user=${user}`);
    const open = async (page, user) => {
      const tab = await profile.openTab();
      await tab.goto(`${shop.url}${page}?user=${user}`);
      await tab.until(() => window.notify?.state === 'connected');
      return tab;
    };
    const heardBy = (tab) => tab.evaluate(() => heard.map((words) => words.slice(0, 2).join(' ')));
    const untilHeard = (tab, text) => tab.until((wanted) => heard.some((words) => words.slice(0, 2).join(' ') === wanted), text);
    const endOf = async (tab) => {
      await tab.until(() => notify.state === 'closed');
      return tab.evaluate(() => errors.map(([kind]) => kind));
    };
    const watch = async (user) => {
      const watcher = await Subscriber.open(shop.env.ESN_BASE_URL, [`@CONNECTION@/page-of-${user}`]);
      watchers.push(watcher);
      return watcher;
    };
    const connections = async () => {
      const headers = { Authorization: `Bearer ${shop.env.ESN_ADMIN_TOKEN}` };
      const answer = await request(`${shop.env.ESN_FANOUT_URL}connections`, { agent: false, headers });
      assert.equal(answer.status, 200, answer.text);
      return answer.json;
    };
    const untilAbsent = (watcher) =>
      until('it is known to be absent', () => watcher.frames.at(-1).json.e.detail.clid_instances === 0);

    test('the quick start: two files and one secret; who logs out is silent at once', async () => {
      await login('ana');
      const page = await open('page.html', 'ana');
      await shop.php(shop.emitting);
      await untilHeard(page, 'news/today headline');
      assert.deepEqual(await heardBy(page), ['orders/4711 shipped', 'orders/4711 packed', 'news/today headline']);
      await go('logout.php');
      assert.deepEqual(await endOf(page), ['dropped']);
      assert.equal(await shop.emit('late', USER('ana'), PRIVATE, "EventPoint::shout('news/today')"), 0);
      assert.equal((await heardBy(page)).length, 3);
    });

    test('a token that PHP does not give any more: silence when the last one ends, and the page says that nobody is logged in', async () => {
      await login('ana');
      const page = await open('short.html', 'ana');
      const watcher = await watch('ana');
      assert.equal(await shop.emit('early', PRIVATE), 1);
      await untilHeard(page, 'orders/4711 early');
      await go('leave.php');
      assert.deepEqual(await endOf(page), ['login']);
      await untilAbsent(watcher);
      assert.equal(await shop.emit('late', USER('ana'), PRIVATE), 0);
      assert.deepEqual(await heardBy(page), ['orders/4711 early']);
    });

    test('a page with tokens of seconds hears on through many of them: each event once, in order', async () => {
      await login('ana');
      const page = await open('short.html', 'ana');
      const began = Date.now();
      const said = [];
      while (Date.now() - began < 8000) {
        const type = `n${said.length}`;
        said.push(`orders/4711 ${type}`);
        assert.ok(await shop.emit(type, PRIVATE) <= 1);
        await untilHeard(page, said.at(-1));
      }
      assert.deepEqual(await heardBy(page), said);
      assert.deepEqual(await page.evaluate(() => errors), []);
    });

    for (const [proof, name] of Object.entries({ 'a bind key': 'session.html', 'an access token': 'token.html' })) {
      test(`a session that ends in Redis takes its streams with it, without a word of PHP, by ${proof}`, async (t) => {
        await login('ana');
        const page = await open(name, 'ana');
        const watcher = await watch('ana');
        assert.equal(await shop.emit('early', USER('ana')), 1);
        await untilHeard(page, 'orders/4711 early');
        await go('leave.php');
        const left = Date.now();
        assert.deepEqual(await endOf(page), ['dropped']);
        t.diagnostic(`${Date.now() - left} ms after the logout`);
        await untilAbsent(watcher);
        assert.equal(await shop.emit('late', USER('ana')), 0);
        assert.deepEqual(await heardBy(page), ['orders/4711 early']);
      });
    }

    test('a user who is locked out while logged in: all tabs, which share a connection, end, and none comes back for another', async () => {
      await login('ana');
      const pages = [await open('token.html', 'ana'), await open('token.html', 'ana'), await open('token.html', 'ana')];
      assert.equal(await shop.emit('early', USER('ana')), 1);
      for (const page of pages) await untilHeard(page, 'orders/4711 early');
      assert.equal(Number(await shop.php("echo (new EsWebNotify\\Emitter(getenv('ESN_EVENT_URL'), getenv('ESN_PUBLISH_TOKEN')))->drop('ana');")), 1);
      for (const page of pages) assert.deepEqual(await endOf(page), ['dropped']);
      assert.equal(await shop.emit('late', USER('ana'), PRIVATE), 0);
    });

    test('luis logs in where ana was: her pages hear nothing of his, his nothing of hers', async () => {
      await login('ana');
      const hers = [await open('page.html', 'ana'), await open('session.html', 'ana')];
      await login('luis');
      const his = [await open('page.html', 'luis'), await open('session.html', 'luis')];
      await shop.emit('hers', USER('ana'));
      await shop.emit('his', USER('luis'));
      for (const page of his) {
        await untilHeard(page, 'orders/4711 his');
        assert.deepEqual(await heardBy(page), ['orders/4711 his']);
      }
      for (const page of hers) assert.equal((await heardBy(page)).includes('orders/4711 his'), false);
    });

    test('docs/identity.md: a bind key of a session in Redis, in a shell', async () => {
      assert.match(await inShell(started, 'A bind key'), /"requested":"@USER@","emitted":"orders\/4711"},"e":{"type":"shipped"}/);
    });
  });
}

describe('docs/identity.md, with a plain quickstart', () => {
  let started;
  before(async () => {
    started = await startQuickstart(folder, ['--web', 'nginx']);
  });
  after(async () => assert.equal(await started?.quickstart.end(), 0, 'exit code of quickstart'));

  for (const [heading, wanted] of Object.entries({
    'An access token': /"type":"packed"[^]*"requested":"@USER@","emitted":"orders\/4711"},"e":{"type":"shipped"}/,
    'A bind key': /"type":"shipped"/,
    'Access and refresh': /"type":"shipped"/,
    'A ticket': /"requested":"orders\/4711"[^]*"type":"packed"/,
    'Logging in and out': /"type":"dropped"/,
  })) {
    test(`${heading}: the lines do in a shell what they say`, async () => {
      const said = await inShell(started, heading);
      assert.match(said, wanted);
      assert.doesNotMatch(said, /"error"/);
    });
  }

  test('Access and refresh, in a cookie: the lines of a page do over https what they say', async (t) => {
    const { url, stop } = await startHttps(started);
    t.after(stop);
    const shop = new Shop(started);
    const [declarations, opening, logout] = identity.blocks('Access and refresh', 'js')[0].split(/^(?=await )/m);
    const [, ...without] = opening.split('\n'); // the line with the bind key, which is for once
    // What scripts of the page could see of it.
    const spy = `window.seen = [];
      const real = fetch;
      window.fetch = async (...words) => {
        const answer = await real(...words);
        if (String(words[0]).endsWith('/token')) seen.push([answer.status, answer.status === 200 ? Object.keys(await answer.clone().json()) : []]);
        return answer;
      };`;
    const page = (lines) => `<!doctype html><script src="/js/es-web-notify.js"></script><script>${spy}
      const { connect } = EsWebNotify; window.heard = []; window.errors = [];</script><script type="module">
      ${declarations} ${lines}
      notify.on('*', ({ type }) => heard.push(type)); notify.on('@error', ({ kind }) => errors.push(kind));
      window.notify = notify; window.logout = async () => { ${logout} };</script>`;
    shop.write('cookie.html', page(opening));
    shop.write('again.html', page(without.join('\n')));
    const profile = await browser.newProfile();
    const tab = await profile.openTab();
    await tab.goto(`${url}house/page.php`);
    for (const name of ['cookie.html', 'again.html', 'again.html']) { // loaded anew it needs no bind key
      await tab.goto(`${url}${name}`);
      await tab.until(() => window.notify?.state === 'connected');
      assert.equal(await shop.emit(name.replace('.html', ''), USER('ana')), 1);
      await tab.until((type) => heard.includes(type), name.replace('.html', ''));
      assert.deepEqual(await tab.evaluate(() => [document.cookie.includes('esn'), seen.flat(2).includes('refresh_token'), errors]), [false, false, []]);
    }
    await tab.evaluate(() => logout());
    await tab.until(() => notify.state === 'closed');
    assert.deepEqual(await tab.evaluate(() => errors), ['dropped']);
    await tab.goto(`${url}again.html`);
    await tab.until(() => window.notify?.state === 'closed');
    assert.deepEqual(await tab.evaluate(() => errors), ['login']);
    await profile.close();
  });

  test('the whole configuration is good, with what esnctl makes for it', async () => {
    const own = newFolder('whole');
    fs.mkdirSync(`${own}/lib`);
    const addresses = { '/etc/es-web-notify/': `${own}/`, '/var/lib/es-web-notify/': `${own}/lib/` };
    const [configuration] = identity.blocks('One whole configuration', 'ini');
    const [publishers] = identity.blocks('One whole configuration', 'sh');
    fs.writeFileSync(`${own}/es-web-notify.conf`, replaced(configuration, addresses));
    const esnctl = `${started.state}/install/bin/esnctl`;
    const script = `set -e; ${esnctl} keygen >/dev/null; ${esnctl} topic create-tables; ${publishers.replaceAll('esnctl', esnctl)} ${esnctl} check-config`;
    const ended = await run(['bash', '-c', script], { cwd: own, env: { ...process.env, ESN_CONF: `${own}/es-web-notify.conf` } });
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    assert.match(ended.stdout, /good/);
    fs.rmSync(own, { recursive: true, force: true });
  });

  for (const transport of ['ws', 'frames']) {
    test(`a page under the Content-Security-Policy connects by ${transport}, and nothing is forbidden`, async () => {
      const profile = await browser.newProfile();
      const tab = await profile.openTab();
      const shop = new Shop(started);
      const [, policy] = /Content-Security-Policy: (.*)/.exec(fs.readFileSync(`${source}/docs/identity.md`, 'utf8'));
      const { host } = new URL(shop.url);
      shop.write('policy.html', `<!doctype html><meta http-equiv="Content-Security-Policy" content="${replaced(policy, { 'wss://shop.example': `ws://${host}` })}">
        <script src="/js/es-web-notify.js"></script><script src="/policy.js"></script>`);
      shop.write('policy.js', `window.forbidden = [];
        document.addEventListener('securitypolicyviolation', ({ blockedURI }) => forbidden.push(blockedURI));
        window.notify = EsWebNotify.connect({ url: '/notify/', topics: ['news'], transports: ['${transport}'] });`);
      await tab.goto(`${shop.url}policy.html`);
      await tab.until(() => notify.state === 'connected');
      assert.deepEqual(await tab.evaluate(() => forbidden), []);
      await profile.close();
    });
  }
});
