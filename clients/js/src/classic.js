// For <script src>: the globals EsWebNotify and, for pages of before, NoPollSubscriber.

import * as EsWebNotify from './index.js';

Object.assign(globalThis, { EsWebNotify, NoPollSubscriber: EsWebNotify.NoPollSubscriber });
