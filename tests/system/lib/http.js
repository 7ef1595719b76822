'use strict';

const http = require('node:http');
const { within } = require('./wait');

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * One HTTP request and its whole answer: {status, reason, headers, rawHeaders, text, json}. `json` is undefined when the
 * text is none.
 */
function request(url, { method = 'GET', headers = {}, body, agent, socketPath } = {}) {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const answer = new Promise((resolve, reject) => {
    const sent = http.request(
      url,
      {
        method,
        agent,
        socketPath,
        headers: bytes ? { 'Content-Length': bytes.length, ...headers } : headers,
      },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode,
            reason: response.statusMessage,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            text,
            json: parseJson(text),
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
  });
  return within(`the answer to ${method} ${url}`, answer);
}

module.exports = { request, parseJson };
