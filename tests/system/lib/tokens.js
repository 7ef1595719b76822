'use strict';

const crypto = require('node:crypto');
const { ticket } = require('./tickets');

const SECRET = 'the secret of the access tokens, 64 characters and more, so that each HS fits';

const digestOf = (alg) => `sha${alg.slice(2)}`;

/** What signs for each kind of algorithm, with a key of crypto.generateKeyPairSync(). */
const signers = {
  HS: (alg, secret) => (text) => crypto.createHmac(digestOf(alg), secret).update(text).digest(),
  RS: (alg, key) => (text) => crypto.sign(digestOf(alg), Buffer.from(text), key),
  PS: (alg, key) => (text) =>
    crypto.sign(digestOf(alg), Buffer.from(text), {
      key,
      padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
      saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  Ed: (alg, key) => (text) => crypto.sign(null, Buffer.from(text), key),
  ES: (alg, key) => (text) => crypto.sign(digestOf(alg), Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
};

/** An access token that is good for `seconds`; `claims` go before those that are made here. */
function accessToken(user, { seconds = 600, claims = {}, alg = 'HS256', key = SECRET, kid } = {}) {
  const body = { sub: user, exp: Date.now() / 1000 + seconds, ...claims };
  return ticket(body, { header: { alg, typ: 'JWT', kid }, sign: signers[alg.slice(0, 2)](alg, key) });
}

module.exports = { SECRET, accessToken };
