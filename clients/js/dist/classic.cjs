const client = require('./es-web-notify.cjs');

Object.assign(globalThis, { EsWebNotify: client, NoPollSubscriber: client.NoPollSubscriber });
