// How many streams have a name.

import { report } from './emitter.js';

/** Gives the client presence(). */
export function addPresence(client) {
  client.presence = (name, handler, more) => {
    const topic = `@CONNECTION@/${name}`;
    const known = client._told.get(topic);
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
  return client;
}
