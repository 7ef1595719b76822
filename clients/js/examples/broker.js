// How a backend publishes: one POST. On behalf of a user it goes with a bind key.

import crypto from 'node:crypto';
import fs from 'node:fs';

/** `env` as deploy/quickstart writes it. */
export function createBroker(env) {
  async function publish(ep, e, more = {}) {
    const headers = { Authorization: `Bearer ${env.ESN_PUBLISH_TOKEN}` };
    const answer = await fetch(env.ESN_EVENT_URL, { method: 'POST', headers, body: JSON.stringify({ ep, e, ...more }) });
    const result = await answer.json();
    if (!answer.ok) throw new Error(`the broker answers ${answer.status} ${result.error}`);
    return result;
  }

  /** As the user `uid`, for registered topics. */
  function publishAs(uid, ep, e) {
    const key = { key: fs.readFileSync(env.ESN_PUBLISH_PUBLIC_KEY), padding: crypto.constants.RSA_PKCS1_PADDING };
    const proof = JSON.stringify({ iat: Math.floor(Date.now() / 1000), uid });
    return publish(ep, e, { bind_key: crypto.publicEncrypt(key, Buffer.from(proof)).toString('base64') });
  }

  return { publish, publishAs };
}
