// A client of the package with what it heard, and a count of the connections that it has open at a time.

import { WebSocket as SocketOfNpm } from 'ws';
import { connect } from './client.js';
import { until } from './wait.js';

/** Counts what is open on the client's own side: from the call until the answer is over or was given up. */
class Meter {
  open = 0;
  peak = 0;
  total = 0;

  #begin() {
    this.total++;
    this.open++;
    this.peak = Math.max(this.peak, this.open);
    let isOver = false;
    return () => {
      if (!isOver) this.open--;
      isOver = true;
    };
  }

  /** Requests for streams and polls; not for tickets and renewals, which are over in a moment. */
  fetch = async (url, init) => {
    if (/\/(alive|ticket)$/.test(String(url))) return fetch(url, init);
    const end = this.#begin();
    init.signal.addEventListener('abort', end);
    try {
      const answer = await fetch(url, init);
      const read = answer.body.getReader.bind(answer.body);
      answer.body.getReader = () => {
        const reader = read();
        return {
          cancel: () => reader.cancel(),
          read: () =>
            reader.read().then(
              (piece) => {
                if (piece.done) end();
                return piece;
              },
              (error) => {
                end();
                throw error;
              },
            ),
        };
      };
      const json = answer.json.bind(answer);
      answer.json = () => json().finally(end);
      const text = answer.text.bind(answer);
      answer.text = () => text().finally(end);
      return answer;
    } catch (error) {
      end();
      throw error;
    }
  };

  get WebSocket() {
    const begin = () => this.#begin();
    return class extends SocketOfNpm {
      constructor(...words) {
        super(...words);
        this.on('close', begin());
      }
    };
  }
}

export const ALL = ['ws', 'frames', 'sse', 'poll'];

/** With patience for a machine that stands still now and then, unless it is the test's business. */
export function listen(options) {
  const meter = new Meter();
  const client = connect({ backoff: 20, maxBackoff: 200, patience: 60_000, fetch: meter.fetch, WebSocket: meter.WebSocket, ...options });
  const listener = {
    client,
    meter,
    events: [],
    states: [client.state],
    errors: [],
    types: () => listener.events.map(({ type }) => type),
    heard: (type) => until(`${type} was heard`, () => listener.types().includes(type)),
  };
  client.on('*', (event) => listener.events.push(event));
  client.on('@state', (state) => listener.states.push(state));
  client.on('@error', (error) => listener.errors.push(error));
  return listener;
}
