// Each entry point has types, by import and by require (entries.mts is the same).

import { NoPollSubscriber, connect, type Client, type Options } from 'es-web-notify';
import { connect as connectCore } from 'es-web-notify/core';
import { connect as connectModule } from 'es-web-notify/module';
import 'es-web-notify/classic';
import { NotifyProvider, useNotifyState, usePresence, useTopic } from 'es-web-notify/react';
import { createNotify, useTopic as useVueTopic } from 'es-web-notify/vue';

const options: Options = { url: '/notify/', topics: ['a'] as const };
const client: Client = connect(options);
new NoPollSubscriber('/notify/?ep=a');
connectCore(options).subscribe('a').off();
connectModule({ url: new URL('https://shop.example/notify/') }).close();
EsWebNotify.connect(options).on('x', ({ detail }) => detail);

export function Badge() {
  const { event, isReady, error } = useTopic<{ total: number }>({ topic: 'orders/7', bound: true });
  const count: number | undefined = usePresence('tablet');
  return [event?.detail.total.toFixed(2), isReady, error?.kind, count, useNotifyState() === 'connected', NotifyProvider({ options })];
}
export const plugin = [createNotify(options), createNotify({ client })];
export const { event } = useVueTopic<{ total: number }>(() => 'orders/7', ({ detail }) => detail.total);
