// Without `transports` the client takes what gets through, and without `share` all tabs of a site have one connection.

import { connect } from '/client/index.js';

export function listen(topics, hear, tell) {
  const client = connect({ url: '/notify/', topics, transports: ['sse'], share: false });
  client.on('*', hear);
  client.on('@state', tell);
}
