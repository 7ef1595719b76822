// Not run: `npm run lint` fails when the declarations do not allow this, or allow what is marked as an error.

import { connect, NoPollSubscriber, type Client } from './index.js';

const client: Client = connect({
  url: '/notify/',
  topics: ['news/#', { topic: '@USER@', binded: true }],
  bindKey: async () => (await fetch('/bind-key.php')).text(),
  transports: ['ws', 'poll'],
});
client.on('@state', (state) => state === 'connected');
client.on('@error', ({ kind, message, status }) => console.log(kind, message, status));
client.on('@frame', (frame, text) => console.log(frame.ep.requested, text.length));
client.on('headline', ({ type, detail, topic }) => console.log(type, detail.anything, topic));
const off = client.on({ topic: 'news/#', type: 'headline' }, (event) => console.log(event.requested));
off();
client.presence('tablet', (count) => count + 1);
client.whisper('price', (connid) => fetch(`/price.php?connid=${connid}`)).then(({ detail }) => detail);
client.whisper((event) => event.detail.token === 7, () => {}, { timeout: 100 });
client.subscribe('a', ['b', { topic: 'c' }]).then((isReady: boolean) => isReady);
client.close({ softly: true });
// @ts-expect-error no such transport
connect({ url: '/', transports: ['pigeon'] });
// @ts-expect-error no address
connect({ topics: [] });
// @ts-expect-error only to be read
client.state = 'closed';

const subscriber = new NoPollSubscriber(
  { url: '/notify/', method: 'POST', data: { ep: ['a'], clid: 'page' } },
  (text) => JSON.parse(text),
  () => {},
  ({ value, state }) => value === 2 && state === 'CONNECTED',
);
subscriber.start();
subscriber.start('/notify/?ep=a');
