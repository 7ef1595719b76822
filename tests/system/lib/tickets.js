'use strict';

const crypto = require('node:crypto');

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

/** The claims of a ticket that is good for half a minute. With the fraction of iat the daemon knows that it is no older than itself. */
function claims(more = {}) {
  return { aud: 'esn-fanout', iat: Date.now() / 1000, exp: now() + 30, jti: crypto.randomUUID(), ep: ['a'], ...more };
}

/** A JWT. `sign(text)` makes the signature's bytes; HS256 with `secret` without it. */
function ticket(body, { secret, header = { alg: 'HS256', typ: 'JWT' }, sign } = {}) {
  const text = `${part(header)}.${part(body)}`;
  const signature = sign ? sign(text) : crypto.createHmac('sha256', secret).update(text).digest();
  return `${text}.${signature.toString('base64url')}`;
}

module.exports = { claims, now, ticket };
