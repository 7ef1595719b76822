'use strict';

// The snippets at the top of README.md, word for word but for addresses, with the packages they name.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const vm = require('node:vm');
const { Bound } = require('./lib/bound');
const { programs, source, tool } = require('./lib/paths');
const { run } = require('./lib/program');
const { Stack } = require('./lib/stack');
const { until } = require('./lib/wait');

const readme = fs.readFileSync(path.join(source, 'README.md'), 'utf8');

/** The first block of this language. */
function snippet(language) {
  const found = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(readme);
  assert.ok(found, `a block of ${language}`);
  return found[1];
}

function replaced(text, from, to) {
  assert.ok(text.includes(from), from);
  return text.replace(from, to);
}

describe('the snippets of README.md', () => {
  let stack;
  before(async () => {
    stack = await Stack.start('readme', { handlers: 1 });
  });
  after(() => stack?.stop());

  const php = () => {
    const autoload = path.join(source, 'clients/php/autoload.php');
    const code = replaced(snippet('php'), 'https://shop.example/notify/event', stack.eventUrl);
    return run([tool('php', 'php-cli'), '-r', `require '${autoload}';\n${code}`], { env: { ESN_TOKEN: stack.publishToken } });
  };

  test('what PHP emits is heard by the page', async () => {
    const html = snippet('html');
    const script = replaced(/<script>\n(.*)<\/script>/s.exec(html)[1], "'/notify/'", `'${stack.url}/'`);
    const heard = [];
    const own = Object.getOwnPropertyNames(globalThis).filter((name) => !['global', 'globalThis'].includes(name));
    const page = vm.createContext({
      ...Object.fromEntries(own.map((name) => [name, globalThis[name]])),
      console: { log: (...words) => heard.push(words) },
    });
    vm.runInContext(fs.readFileSync(path.join(source, 'clients/js/dist/es-web-notify.js'), 'utf8'), page);
    vm.runInContext(`${script};var client = notify;`, page);
    try {
      await page.client.ready();
      const ended = await php();
      assert.equal(ended.code, 0, ended.stdout + ended.stderr);
      await until('the page hears it', () => heard.length > 0);
      assert.deepEqual(heard, [['news/today', 'It works']]);
    } finally {
      await page.client.close();
    }
  });

  const curl = async (stack, url) => {
    const block = readme.slice(readme.indexOf('curl -NL "$ESN_BASE_URL"')).split('\n```')[0];
    const [listen, post] = block.split('\n');
    const env = { ESN_BASE_URL: url, ESN_EVENT_URL: `${url}event?token=${stack.publishToken}` };
    const script = `${replaced(listen, 'curl -NL', 'curl -sNL --max-time 60')} > heard & until grep -q connected heard || ! kill -0 $!; do sleep 0.1; done
      ${replaced(post, 'curl', 'curl -sS')}
      until grep -q headline heard || ! kill -0 $!; do sleep 0.1; done; kill $!`;
    const ended = await run(['bash', '-c', script], { env: { ...process.env, ...env }, cwd: stack.folder });
    assert.match(ended.stdout, /"receivers":1/);
    assert.match(fs.readFileSync(path.join(stack.folder, 'heard'), 'utf8'), /"detail":"It works"/);
  };

  test('curl hears what curl posts', () => curl(stack, `${stack.webUrl}/notify/`));

  test('curl hears it too where subscribers are sent to the daemon, as by quickstart --handoff redirect', async () => {
    const bound = await Bound.start({ web: 'Apache with mod_proxy_fcgi' });
    try {
      await curl(bound.stack, bound.url);
    } finally {
      await bound.stop();
    }
  });

  test('the programs and documents that it names are there', () => {
    for (const [, target] of readme.matchAll(/\]\(([^)#]+)\)/g)) {
      assert.ok(fs.existsSync(path.join(source, target)), target);
    }
    assert.ok(fs.existsSync(programs.fanout));
  });
});
