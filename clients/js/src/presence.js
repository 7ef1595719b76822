// Who is there: how many streams have a name. Tabs that share a connection tell each other, since the broker says it when a topic
// is asked for, and a topic that another tab has asked for is not asked for again.

import { report } from './emitter.js';
import { keyOf } from './topics.js';

/**
 * `page`:
 *   _wanted()              map of the wanted topics
 *   _told                  map of presence topics with the counts that the page knows
 *   _deliver(frame, text)  to the page's handlers
 */
export function createPresence({ _wanted: wanted, _told: told, _deliver: deliver }) {
  const counts = new Map(); // presence topic: how many streams have the name, also of topics that other tabs want
  return {
    _counts: counts,

    /** What the connection is like: its topics, and what the tab that leads knows. */
    _status(held, known) {
      for (const topic of counts.keys()) if (!held.has(keyOf(topic))) counts.delete(topic);
      for (const [topic, count] of known) if (!counts.has(topic)) counts.set(topic, count);
    },

    /** Tells the page what another tab had asked for before. */
    _tell() {
      for (const topic of wanted().values()) {
        if (counts.has(topic) && !told.has(topic)) {
          const detail = { clid_instances: `${counts.get(topic)}` };
          const frame = { ep: { requested: topic, emitted: topic }, e: { type: 'available', detail } };
          deliver(frame, JSON.stringify(frame));
        }
      }
    },

    /** Gives the client presence(). */
    _extend(client) {
      client.presence = (name, handler, more) => {
        const topic = `@CONNECTION@/${name}`;
        const known = told.get(topic);
        let isTold;
        const tell = (event) => {
          isTold = true;
          handler(+event.detail.clid_instances, event);
        };
        const { off } = client.subscribe(topic, tell, more);
        if (known !== undefined) {
          const event = { type: 'available', detail: { clid_instances: `${known}` }, topic, requested: topic };
          queueMicrotask(() => isTold || report(() => tell(event)));
        }
        return off;
      };
    },
  };
}
