// Not run: `npm run lint` fails when the declarations do not allow this, or allow what is marked as an error.

import { connect, NoPollSubscriber, type Client } from '../../types/index.js';

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
const list: readonly string[] = ['a', 'b'];
const sub = client.subscribe(list, ({ detail }) => console.log(detail), { signal: new AbortController().signal });
sub.ready.then((isReady: boolean) => isReady).catch(() => {});
sub.off();
client.subscribe({ topic: 'c', bound: true }, { signal: AbortSignal.timeout(1) });
client.once('headline', ({ detail }) => detail.anything);
client.on('@gap', ({ id }) => id.length);
client.on('@error', ({ final, topics }) => (final ? 'log in again' : topics?.join()));
connect({ url: new URL('https://shop.example/notify/'), topics: list, bindKey: '/bind-key.php', user: 7, clid: undefined, debug: true });

interface Shop {
  headline: { text: string };
  price: number;
}
const shop = connect<Shop>({ url: '/notify/' });
shop.on('price', ({ detail }) => detail.toFixed(2));
shop.on('*', (event) => (event.type === 'price' ? event.detail.toFixed(2) : event.detail.text));
shop.subscribe('news/#', (event) => event.type === 'headline' && event.detail.text);
shop.whisper('price', () => {}).then(({ detail }) => detail.toFixed(2));
// @ts-expect-error no such event
shop.on('prize', () => {});
// @ts-expect-error a number has no text
shop.on('price', ({ detail }) => detail.text);
// @ts-expect-error no such key
client.subscribe({ topic: 'c', bond: true });
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
