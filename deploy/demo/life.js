// The demo's own small life, so that something is seen when nobody else is there: a visitor who comes and goes, and a shop of which
// PHP tells. One tab of a browser does it, while it is shown.

import { connect } from '/client/index.js';
import { post } from './post.js';
import { word } from './words.js';

export const VISITOR = 'demo-visitor';
const PAUSE = 3000; // ms between two words
const VISIT = 5; // words for which the visitor stays, and stays away

const between = (least, most) => least + Math.floor(Math.random() * (most - least + 1));
const SAYS = [
  () => ['demo/shop/orders', 'order', word('order', { n: between(1000, 9999) })],
  () => ['demo/shop/stock', 'stock', word('stock', { n: between(1, 20) })],
  () => ['demo/house/kitchen', 'switched', word('lamp')],
];

function speak(count) {
  const [topic, type, text] = SAYS[count % SAYS.length]();
  return post('emit.php', { topic, type, detail: { text, demo: true } });
}

/** Lives for as long as `box` is checked. */
async function live(box) {
  let visitor;
  for (let count = 0; ; count++) {
    const isOn = box.checked && !document.hidden;
    if (isOn) await speak(count).catch(() => {}); // the broker may be away
    const isThere = isOn && count % (2 * VISIT) < VISIT;
    if (isThere) visitor ??= connect({ url: '/notify/', clid: VISITOR, share: false });
    else if (visitor) visitor = void visitor.close();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

export function beginLife(box) {
  if (navigator.locks) navigator.locks.request('life of the demo', () => live(box));
  else live(box);
}
