// Asking the page's backend something that it answers by a whisper.

import { failure } from './failure.js';

const ANSWER_LIMIT = 10_000;

/** Gives the client whisper(). */
export function addWhisper(client) {
  client.whisper = (match, send, { timeout = ANSWER_LIMIT } = {}) => {
    let limit, off;
    return new Promise((resolve, reject) => {
      limit = setTimeout(() => reject(failure('timeout', 'No answer')), timeout);
      off = client.on('*', (event) => (typeof match === 'function' ? match(event) : event.type === match) && resolve(event));
      client
        .ready()
        .then(() => send(client.connid))
        .catch(reject);
    }).finally(() => {
      clearTimeout(limit);
      off();
    });
  };
  return client;
}
