'use strict';

const crypto = require('node:crypto');

const pairs = new Map();

/** An RSA pair of PEM texts; made once for each name in a process. */
function keyPair(name = 'application') {
  if (!pairs.has(name)) {
    const pem = (type) => ({ type, format: 'pem' });
    pairs.set(
      name,
      crypto.generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: pem('spki'),
        privateKeyEncoding: pem('pkcs8'),
      }),
    );
  }
  return pairs.get(name);
}

/** Any text in base64, encrypted as applications do it. */
function encrypt(text, { key = keyPair().publicKey, padding = crypto.constants.RSA_PKCS1_PADDING } = {}) {
  return crypto.publicEncrypt({ key, padding }, Buffer.from(text)).toString('base64');
}

/** A bind key of a user, `age` seconds old. */
function bindKey(uid, { age = 0, ...options } = {}) {
  return encrypt(JSON.stringify({ iat: Math.floor(Date.now() / 1000) - age, uid }), options);
}

/** What a session without a user stands for. */
const NO_USER = '[][][]';

module.exports = { NO_USER, bindKey, encrypt, keyPair };
