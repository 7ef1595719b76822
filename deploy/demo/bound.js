// A stream with a bind key, as the examples hold it: a fresh key for each try.

import { listen } from './stream.js';

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Listens for as long as the page lives; `seat` says whose session it is. `on.state(word)` is told how it goes. */
export async function listenBound(seat, topics, on) {
  let past = {}; // last_id, connid and secret: what the next stream begins with
  for (let wait = 500; ; wait = Math.min(30_000, wait * 2)) {
    try {
      const key = await (await fetch(`../bind-key.php?seat=${seat}`)).text();
      for await (const event of listen('/notify/', { bind_key: key, ep: topics, ...past })) {
        if (event.e.type === 'connected' && event.ep.emitted === '@SERVER@') {
          past = { ...past, connid: event.e.detail.connid, secret: event.e.detail.secret };
          wait = 500;
          on.state('connected');
        } else {
          on.event(event);
        }
        past.last_id = event.id ?? past.last_id;
      }
    } catch (error) {
      console.info('The stream broke:', error.message);
    }
    on.state('waiting');
    await pause(wait * (0.5 + Math.random() / 2));
  }
}

export async function post(url, body) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return response.json();
}
