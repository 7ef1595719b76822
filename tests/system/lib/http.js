'use strict';

const { send } = require('./secure');
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
    const sent = send(
      url,
      {
        method,
        agent,
        socketPath,
        headers: bytes && !headers['Transfer-Encoding'] ? { 'Content-Length': bytes.length, ...headers } : headers,
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

/** The same as a browser does it: 303 is followed with GET, 307 with the same method and body (RFC 9110 section 15.4). */
async function follow(url, options = {}) {
  const answer = await request(url, options);
  if (![303, 307].includes(answer.status)) {
    return answer;
  }
  const { method, body, ...rest } = options;
  return follow(new URL(answer.headers.location, url), answer.status === 307 ? options : rest);
}

module.exports = { follow, request, parseJson };
