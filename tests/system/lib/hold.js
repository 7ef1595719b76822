'use strict';

// A process of clients: node hold.js --count N [--socket PATH | --host H --port P] [--path PATH] [--clid NAME] [--ep TOPIC]
// [--clids C] [--public-key FILE --user NAME] [--report] [--spread S]. With --spread stream I is on TOPIC/(I modulo S), with --clids it is
// NAME-(I modulo C). With a key the streams are bound, those of that user.
// Opens N streams and prints "all N connected", then a line "events M" whenever the number of frames beyond `connected`
// on all streams has reached a multiple of N. A stream that ends is told as "lost I".

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { bindKey } = require('./bind-keys');
const { Holding } = require('./holding');
const { Subscriber } = require('./subscriber');

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    socket: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string' },
    path: { type: 'string', default: '/' },
    user: { type: 'string' },
    'public-key': { type: 'string' },
    clid: { type: 'string', default: 'held' },
    clids: { type: 'string' },
    ep: { type: 'string', default: 'a' },
    report: { type: 'boolean', default: false },
    spread: { type: 'string' },
  },
});

const holding = new Holding(Number(values.count));
const url = values.socket ? 'http://localhost/' : `http://${values.host}:${values.port}${values.path}`;
const key = values['public-key'] && fs.readFileSync(values['public-key'], 'utf8');

function subscription(index) {
  const topic = values.spread ? `${values.ep}/${index % Number(values.spread)}` : values.ep;
  const clid = values.clids ? `${values.clid}-${index % Number(values.clids)}` : values.clid;
  const whole = { ep: [topic], clid, report: values.report };
  return key ? { ...whole, ep: [{ topic, binded: true }], bind_key: bindKey(values.user, { key }) } : whole;
}

function countEvent({ json }) {
  if (json.e.type !== 'connected') {
    holding.noteEvent();
  }
}

async function open(index) {
  const subscriber = await Subscriber.open(url, subscription(index), { socketPath: values.socket, onFrame: countEvent });
  subscriber.over.then(() => console.log(`lost ${index}`));
}

holding.openAll(open).catch((error) => {
  console.error(error);
  process.exit(1);
});
