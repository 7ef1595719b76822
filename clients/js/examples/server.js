// npm start [-- --env FILE] [--port PORT]: a backend in Node for the pages beside it, with what deploy/quickstart started. It
// serves the pages, publishes for them, knows who is logged in, and is the binding server that the broker asks.

import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createBroker } from './broker.js';
import { createSessions } from './sessions.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const ENV_FILES = [
  path.join(os.homedir(), '.local/state/es-web-notify/env'),
  '/var/lib/es-web-notify/quickstart/env',
];
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const { values: options } = parseArgs({
  options: { env: { type: 'string' }, port: { type: 'string', default: '8090' } },
});

/** KEY=value lines for a shell. */
function readEnv() {
  const file = options.env ?? ENV_FILES.find((one) => fs.existsSync(one));
  if (!file || !fs.existsSync(file)) {
    console.error(`Start deploy/quickstart first, and say where its file of addresses is: npm start -- --env DIR/env`);
    process.exit(1);
  }
  const lines = fs.readFileSync(file, 'utf8').matchAll(/^(\w+)='?(.*?)'?$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}

const env = readEnv();
const broker = createBroker(env);
const sessions = createSessions();

async function readText(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const routes = {
  /** What the pages have to know. */
  'GET /config.js': (_, response) => {
    response.setHeader('Content-Type', 'text/javascript');
    return `const BROKER = ${JSON.stringify(env.ESN_BASE_URL)};`;
  },

  'GET /es-web-notify.js': (_, response) => {
    response.setHeader('Content-Type', 'text/javascript');
    return fs.readFileSync(path.join(here, '../dist/es-web-notify.js'));
  },

  /** Everybody who looks at the page hears it. */
  'POST /say': async (request) => {
    const { text } = JSON.parse(await readText(request));
    return broker.publish(['examples/talk'], { type: 'said', detail: { text } });
  },

  /** The answer goes to the page that has asked, and to no other. */
  'POST /ask': async (request) => {
    const { connid, question } = JSON.parse(await readText(request));
    const detail = { question, answer: question.length * 6 };
    return broker.publish([{ topic: 'examples/answers', whisper: connid }], { type: 'answer', detail });
  },

  'POST /login': async (request, response) => {
    const { name } = JSON.parse(await readText(request));
    response.setHeader('Set-Cookie', `session=${sessions.begin(name)}; HttpOnly; SameSite=Lax; Path=/`);
    return { name };
  },

  /** For the page: proof, good for some seconds, of whose session it has. */
  'GET /bind-key': (request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    return sessions.bindKey(request.headers.cookie?.match(/session=(\w+)/)?.[1]);
  },

  /** For the broker: whose session is it? */
  'POST /binding': async (request) => JSON.stringify(sessions.userOf(await readText(request))),

  /** Heard by those alone who may hear the registered topic: ana, in the quickstart. */
  'POST /measure': async () => {
    const cm = Math.round(50 + 100 * Math.random());
    return broker.publishAs('sensor', [{ topic: 'CASA/NIVEL_AGUA', binded: true }], { type: 'level', detail: { cm } });
  },
};

function serveFile(pathname, response) {
  const file = path.join(here, 'pages', pathname === '/' ? 'index.html' : path.basename(pathname));
  if (!fs.existsSync(file)) return response.writeHead(404).end('Not found\n');
  response.setHeader('Content-Type', `${TYPES[path.extname(file)]};charset=utf-8`);
  return response.end(fs.readFileSync(file));
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const route = routes[`${request.method} ${pathname}`];
  if (!route) {
    serveFile(pathname, response);
    return;
  }
  try {
    const result = await route(request, response);
    response.end(typeof result === 'string' || Buffer.isBuffer(result) ? result : JSON.stringify(result));
  } catch (error) {
    console.error(`${request.method} ${pathname}: ${error.message}`);
    response.writeHead(500).end(JSON.stringify({ error: error.message }));
  }
}

const server = http.createServer(answer);
server.listen(Number(options.port), '127.0.0.1', () => {
  console.log(`Examples on http://127.0.0.1:${options.port}/ with the broker on ${env.ESN_BASE_URL}`);
});
