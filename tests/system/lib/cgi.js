'use strict';

const { programs } = require('./paths');
const { run } = require('./program');
const { parseJson } = require('./http');

/** Runs a handler as plain CGI for one request: {code, status, reason, headers, text, json, stderr}. */
async function runCgi(file, { wrapper = [], program = programs.event, method = 'POST', query = '', body = '', env = {} } = {}) {
  const bytes = Buffer.from(body);
  const result = await run([...wrapper, program], {
    input: bytes,
    env: {
      ESN_CONF: file,
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'localhost',
      SERVER_PORT: '80',
      REMOTE_ADDR: '127.0.0.1',
      SCRIPT_NAME: '/notify/event',
      REQUEST_METHOD: method,
      QUERY_STRING: query,
      CONTENT_TYPE: 'application/json',
      CONTENT_LENGTH: String(bytes.length),
      ...env,
    },
  });
  const end = /\r?\n\r?\n/.exec(result.stdout);
  if (!end) {
    throw new Error(`no CGI answer (exit ${result.code}): ${result.stdout}\n${result.stderr}`);
  }
  const headers = {};
  for (const line of result.stdout.slice(0, end.index).split(/\r?\n/)) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const status = /^(\d{3})\s*(.*)$/.exec(headers.status ?? '200 OK');
  const text = result.stdout.slice(end.index + end[0].length);
  return {
    code: result.code,
    status: Number(status[1]),
    reason: status[2],
    headers,
    text,
    json: parseJson(text),
    stderr: result.stderr,
  };
}

module.exports = { runCgi };
