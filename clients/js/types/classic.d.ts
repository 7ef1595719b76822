// What the script sets.

import type { NoPollSubscriber as Subscriber, connect } from './index.js';

declare global {
  var EsWebNotify: { connect: typeof connect; NoPollSubscriber: typeof Subscriber };
  var NoPollSubscriber: typeof Subscriber;
}

export {};
