// The page: each way in listens to the page's own topic, by the code that is shown. Probes make PHP emit on that topic.

import { STREAMED, jsonOf, watchPolls } from './bytes.js';
import { Way } from './way.js';
import './copy.js';

const BURST = 50;
const PAUSE = 1000; // ms between two steady probes

const $ = (id) => document.getElementById(id);
const { page, by } = document.querySelector('main').dataset;
const posted = []; // when each probe was, by its number
const ways = new Map();
let isDrawing = false;

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const top = 1.2 * Math.max(2, ...[...ways.values()].map((way) => way.worst));
    for (const way of ways.values()) way.show(top);
  });
}

async function open(card) {
  const name = card.dataset.way;
  const way = new Way(card);
  const { listen } = await import(`./${by}/${name}.js`);
  ways.set(name, way);
  const hear = (event) => {
    const { detail } = event.e ?? event; // the client package gives an event's parts
    way.hear(posted[detail.number]);
    way.weigh(name in STREAMED ? STREAMED[name](jsonOf(event)) : 0, 1);
    draw();
  };
  const tell = (state) => {
    way.tell(state);
    draw();
  };
  listen([`ways/${page}`], hear, tell);
}

/** Has one event emitted, which all ways should bring. */
async function probe() {
  const postedAt = performance.now();
  const number = posted.push(postedAt) - 1;
  const response = await fetch('probe.php', { method: 'POST', body: new URLSearchParams({ page, number }) });
  const answer = await response.json();
  $('answer').dataset.result = response.ok ? 'good' : 'bad';
  $('answer').textContent = response.ok
    ? `PHP’s own answer took ${(performance.now() - postedAt).toFixed(1)} ms`
    : answer.error;
  if (!response.ok) return;
  for (const way of ways.values()) way.expect(postedAt);
  draw();
}

async function burst() {
  $('burst').disabled = true;
  for (let count = 0; count < BURST; count++) await probe();
  $('burst').disabled = false;
}

async function probeForEver() {
  for (;;) {
    if ($('steady').checked && !document.hidden && !$('burst').disabled) await probe();
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

async function begin() {
  await Promise.all([...document.querySelectorAll('[data-way]')].map(open));
  watchPolls('/notify/poll', (bytes) => ways.get('poll').weigh(bytes, 0));
  $('burst').addEventListener('click', burst);
  $('burst').disabled = false;
  $('answer').textContent = '';
  await probeForEver();
}

function waitForOtherTab() {
  $('answer').textContent = 'Begins when the other tab with this page is closed';
  return navigator.locks.request('ways', begin);
}

// A browser opens six connections to a site, and these ways hold three: a second tab would leave none for probes.
if (navigator.locks) navigator.locks.request('ways', { ifAvailable: true }, (lock) => lock ? begin() : waitForOtherTab());
else begin();
