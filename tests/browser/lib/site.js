'use strict';

// A site as users have one: pages that load the client, a session in a cookie, bind keys for who is logged in.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { bindKey } = require('../../system/lib/bind-keys');
const { source } = require('../../system/lib/paths');

const CLIENT = path.join(source, 'clients/js');
const FILES = {
  '/es-web-notify.js': 'dist/es-web-notify.js',
  '/es-web-notify.mjs': 'dist/es-web-notify.mjs',
};

/** How a page loads the client: the files of dist/, and what they are made of. */
const BUILDS = {
  classic: '<script src="/es-web-notify.js"></script><script src="/classic.js"></script>',
  module: '<script type="module" src="/module.js"></script>',
  source: '<script type="module" src="/source.js"></script>',
};

const SCRIPTS = {
  '/classic.js': 'window.connect = EsWebNotify.connect;',
  '/module.js': "import { connect } from '/es-web-notify.mjs'; window.connect = connect;",
  '/source.js': "import { connect } from '/src/index.js'; window.connect = connect;",
};

/** In every page: what went wrong in it, and listen(options), which connects and keeps what it hears. */
const HARNESS = `
window.faults = [];
addEventListener('error', ({ message, error }) => faults.push(String(error || message)));
addEventListener('unhandledrejection', ({ reason }) => faults.push(String(reason)));
addEventListener('securitypolicyviolation', ({ blockedURI }) => faults.push('forbidden: ' + blockedURI));
window.restored = 0;
addEventListener('pageshow', ({ persisted }) => persisted && restored++);
window.listen = (options, { bound } = {}) => {
  Object.assign(window, { heard: [], states: [], errors: [], began: performance.now() });
  const bindKey = async () => {
    const answer = await fetch('/bind-key');
    if (!answer.ok) throw Error('log in again');
    return answer.text();
  };
  window.client = connect({ ...options, ...(bound && { bindKey }) });
  client.on('*', ({ type, topic, requested, detail, id, kept }) => heard.push({ type, topic, requested, detail, id, kept }));
  client.on('@state', (state) => states.push(state));
  client.on('@error', ({ kind, message }) => errors.push(kind + ': ' + message));
};
`;

const cookieOf = (request) => /(?:^|;\s*)user=([^;]*)/.exec(request.headers.cookie ?? '')?.[1];

class Site {
  #scripts = { ...SCRIPTS, '/harness.js': HARNESS };
  #policies = [];

  static async start() {
    const site = new Site();
    site.server = http.createServer((request, response) => site.#answer(new URL(request.url, 'http://x'), request, response));
    await new Promise((resolve) => site.server.listen(0, '127.0.0.1', resolve));
    site.url = `http://127.0.0.1:${site.server.address().port}`;
    return site;
  }

  /**
   * The address of a page that loads the client as `build` says (classic, module, source; tests of slips say source), after
   * the text of a script `before`, under the Content-Security-Policy `policy`.
   */
  page({ build = process.env.ESN_PAGE_BUILD ?? 'classic', before = '', policy } = {}) {
    const query = new URLSearchParams({ build });
    if (before) {
      const name = `/before-${Object.keys(this.#scripts).length}.js`;
      this.#scripts[name] = before;
      query.set('before', name);
    }
    if (policy) query.set('policy', this.#policies.push(policy) - 1);
    return `${this.url}/?${query}`;
  }

  /** Logs in; without a name, out. The page is blank. */
  login(user = '') {
    return `${this.url}/login?user=${user}`;
  }

  get blank() {
    return `${this.url}/blank`;
  }

  #answer({ pathname, searchParams }, request, response) {
    const send = (type, text, headers = {}) =>
      response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-cache', ...headers }).end(text);
    const file = FILES[pathname] ?? (/^\/src\/[a-z-]+\.js$/.test(pathname) ? pathname.slice(1) : undefined);
    if (file) return send('text/javascript', fs.readFileSync(path.join(CLIENT, file)));
    if (this.#scripts[pathname]) return send('text/javascript', this.#scripts[pathname]);
    if (pathname === '/now') return send('text/plain', String(performance.timeOrigin + performance.now()));
    if (pathname === '/') return this.#sendPage(searchParams, send);
    if (pathname === '/blank') return send('text/html', '<!doctype html><title>blank</title>');
    if (pathname === '/login') {
      const user = searchParams.get('user');
      const cookie = `user=${user}; Path=/; HttpOnly${user ? '' : '; Max-Age=0'}`;
      return send('text/html', '<!doctype html><title>login</title>', { 'Set-Cookie': cookie });
    }
    if (pathname === '/bind-key' && cookieOf(request)) return send('text/plain', bindKey(cookieOf(request)));
    return response.writeHead(pathname === '/bind-key' ? 403 : 404).end();
  }

  #sendPage(query, send) {
    const before = query.get('before');
    const scripts = ['/harness.js', ...(before ? [before] : [])].map((name) => `<script src="${name}"></script>`);
    const html = `<!doctype html><meta charset="utf-8"><title>page</title>${scripts.join('')}${BUILDS[query.get('build')]}`;
    const policy = this.#policies[query.get('policy') ?? -1];
    send('text/html', html, policy && { 'Content-Security-Policy': policy });
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

module.exports = { Site, builds: Object.keys(BUILDS) };
