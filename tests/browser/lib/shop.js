'use strict';

// A shop in PHP behind what quickstart has started: the files of the PHP package's quick start, and pages that log in and out.

const fs = require('node:fs');
const path = require('node:path');
const { source } = require('../../system/lib/paths');
const { run } = require('../../system/lib/program');
const { Document, replaced } = require('./document');

const AUTOLOAD = "require __DIR__ . '/../vendor/autoload.php';";

/** In every page, before its own scripts: what it hears and what becomes of it. */
const HARNESS = `<!doctype html><meta charset="utf-8"><title>shop</title>
<script>
window.heard = []; window.errors = []; window.states = [];
console.log = (...words) => heard.push(words);
</script>`;

const WATCH = `<script>
window.notify = notify;
notify.on('@error', ({ kind, message }) => errors.push([kind, message]));
notify.on('@state', (state) => states.push(state));
</script>`;

/** Pages beside those of the document. */
const PAGES = {
  'login.php': `session_start();
session_regenerate_id(true);
$_SESSION = ['user_id' => $_GET['user'], 'uid' => $_GET['user'], 'orders' => [4711]];
echo 'in';`,
  // The application forgets to tell the broker.
  'leave.php': `session_start();
session_destroy();
echo 'out';`,
  'short-token.php': `AUTOLOAD
session_start(['read_and_close' => true]);
$user = $_SESSION['user_id'] ?? null;
if ($user === null) {
    http_response_code(401);
    exit;
}
echo EsWebNotify\\Token\\TokenMaker::fromSecretFile('TOKEN_KEYS', lifetime: 3)->forUser($user, hear: ['orders/4711']);`,
  'session-key.php': `AUTOLOAD
session_start(['read_and_close' => true]);
echo EsWebNotify\\BindKey\\BindKeyMaker::fromPublicKey(getenv('ESN_SUBSCRIBE_PUBLIC_KEY'))->forSubscribing(session_id());`,
};

/** A page whose client has these options, as a script says them. */
const pageOf = (options) => `${HARNESS}
<script src="/js/es-web-notify.js"></script>
<script>
const notify = EsWebNotify.connect({ url: '/notify/', clid: 'page-of-' + new URLSearchParams(location.search).get('user'), ${options} });
notify.on('*', ({ topic, type }) => heard.push([topic, type]));
</script>${WATCH}`;

class Shop {
  /** `started` is what startQuickstart() gives. */
  constructor({ state, env }) {
    this.state = state;
    this.env = env;
    this.url = env.ESN_DEMO_URL;
    this.document = new Document('clients/php/README.md');
    this.root = path.join(state, 'source/deploy/demo');
    const heading = 'Quick start: two files and one secret';
    const [token, emit, logout] = this.document.blocks(heading, 'php');
    const [page] = this.document.blocks(heading, 'html');
    const own = { "'/etc/es-web-notify/token.keys'": `'${env.ESN_TOKEN_KEYS}'` };
    this.emitting = replaced(emit, {
      'https://shop.example/notify/event': env.ESN_EVENT_URL,
      "trim(file_get_contents('/etc/es-web-notify/publish.token'))": `'${env.ESN_PUBLISH_TOKEN}'`,
    });
    const files = {
      'token.php': replaced(token, { [AUTOLOAD]: this.#autoload(), ...own }),
      'page.html': `${HARNESS}${page}${WATCH}`,
      'logout.php': `<?php\n${this.#autoload()}\n${this.emitting.split('\n$broker->emit')[0]}\n${logout}`,
      'short.html': pageOf("token: '/short-token.php', topics: [{ topic: '@USER@', bound: true }, { topic: 'orders/4711', private: true }]"),
      'token.html': pageOf("token: '/token.php', topics: [{ topic: '@USER@', bound: true }, { topic: 'orders/4711', private: true }]"),
      'session.html': pageOf("bindKey: '/session-key.php', topics: [{ topic: '@USER@', bound: true }]"),
      ...Object.fromEntries(Object.entries(PAGES).map(([name, code]) => [name, `<?php\n${this.#filled(code)}\n`])),
    };
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    fs.mkdirSync(path.join(this.root, 'js'), { recursive: true });
    fs.copyFileSync(path.join(source, 'clients/js/dist/es-web-notify.js'), path.join(this.root, 'js/es-web-notify.js'));
  }

  /** A page of the site. */
  write(name, text) {
    fs.writeFileSync(path.join(this.root, name), text);
  }

  #autoload() {
    return `require '${this.state}/source/clients/php/autoload.php';`;
  }

  #filled(code) {
    return code.replace('AUTOLOAD', this.#autoload()).replace('TOKEN_KEYS', this.env.ESN_TOKEN_KEYS);
  }

  /** PHP in a process of its own. */
  async php(code) {
    const ended = await run(['php', '-r', `${this.#autoload()}\n${code}`], { env: { ...process.env, ...this.env } });
    if (ended.code !== 0) throw new Error(ended.stdout + ended.stderr);
    return ended.stdout;
  }

  /** Emits to event points, as PHP writes them; gives how many streams heard it. */
  async emit(type, ...points) {
    const code = `use EsWebNotify\\{Emitter, Event, EventPoint};
      $broker = new Emitter(getenv('ESN_EVENT_URL'), getenv('ESN_PUBLISH_TOKEN'));
      echo $broker->emit(new Event('${type}'), ${points.join(', ')})->receivers;`;
    return Number(await this.php(code));
  }
}

module.exports = { Shop };
