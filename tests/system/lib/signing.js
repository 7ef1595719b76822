'use strict';

const crypto = require('node:crypto');

const sha256 = (body) => `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;

/**
 * The headers of a signed post (RFC 9421), made with nothing of ours. `key` is a secret, or a private key of Ed25519.
 * `covers`, `created`, `keyid` and what is signed (`method`, `url`, `body`) can be given as they will not be sent.
 */
function signedHeaders({ url, body, key, keyid, method = 'POST', created, covers, label = 'sig1', alg }) {
  const target = new URL(url);
  const digest = sha256(body);
  const values = {
    '@method': method,
    '@target-uri': target.href,
    '@authority': target.host,
    '@path': target.pathname,
    '@query': target.search || '?',
    'content-digest': digest,
    'content-type': 'application/json',
  };
  const list = covers ?? ['@method', '@path', '@query', 'content-digest'];
  const at = created ?? Math.floor(Date.now() / 1000);
  const named = alg ? `;alg="${alg}"` : '';
  const parameters = `(${list.map((name) => `"${name}"`).join(' ')});created=${at};keyid="${keyid}"${named}`;
  const base = [...list.map((name) => `"${name}": ${values[name]}`), `"@signature-params": ${parameters}`].join('\n');
  const signature =
    typeof key === 'string'
      ? crypto.createHmac('sha256', key).update(base).digest()
      : crypto.sign(null, Buffer.from(base), key);
  return {
    'Content-Digest': digest,
    'Signature-Input': `${label}=${parameters}`,
    Signature: `${label}=:${signature.toString('base64')}:`,
  };
}

module.exports = { sha256, signedHeaders };
