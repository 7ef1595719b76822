// For <script src>: the globals EsWebNotify and, for pages of before, NoPollSubscriber.

import { NoPollSubscriber, connect } from './index.js';

Object.assign(globalThis, { EsWebNotify: { connect, NoPollSubscriber }, NoPollSubscriber });
