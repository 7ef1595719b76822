// The page: each way in listens to the page's own topic, by the code that is shown. Probes make PHP emit on that topic.

import { STREAMED, jsonOf, watchPolls } from './bytes.js';
import { word } from '../words.js';
import { Way, inWords, percentile } from './way.js';
import './copy.js';

const BURST = 50;
const FIRST = 10; // as many as a percentile needs
const PAUSE = 1000; // ms between two steady probes
const KEPT = 100; // times of PHP

const $ = (id) => document.getElementById(id);
const { page, by } = document.querySelector('.every-way').dataset;
const probes = []; // {postedAt, emittedAt}, by their numbers
const ways = new Map();
let before = []; // ms that web server and PHP took, of the last probes
let isDrawing = false;

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const top = 1.2 * Math.max(2, ...[...ways.values()].map((way) => way.worst));
    const php = percentile(before, 0.5);
    for (const [name, way] of ways) {
      way.show(top, php);
      document.querySelector(`[data-median=${name}]`).textContent = inWords(way.median);
    }
  });
}

async function open(card) {
  const name = card.dataset.way;
  const way = new Way(card);
  const { listen } = await import(`./${by}/${name}.js`);
  ways.set(name, way);
  const hear = (event) => {
    const { detail } = event.e ?? event; // the client package gives an event's parts
    way.hear(probes[detail.number]);
    way.weigh(name in STREAMED ? STREAMED[name](jsonOf(event)) : 0, 1);
    draw();
  };
  const tell = (state) => {
    way.tell(state);
    draw();
  };
  listen([`ways/${page}`], hear, tell);
}

/**
 * Has one event emitted, which all ways should bring. PHP tells how long it was at it before and while it emitted; what is left
 * of the time until its answer is the way there and back, half of it each.
 */
async function probe() {
  const one = { postedAt: performance.now() };
  const number = probes.push(one) - 1;
  const response = await fetch('probe.php', { method: 'POST', body: new URLSearchParams({ page, number }) });
  const answer = await response.json();
  const took = performance.now() - one.postedAt;
  $('answer').dataset.result = response.ok ? 'good' : 'bad';
  $('answer').textContent = response.ok ? word('php-took', { ms: inWords(took) }) : answer.error;
  if (!response.ok) return;
  const share = answer.before + Math.max(0, took - answer.before - answer.emitted) / 2;
  one.emittedAt = one.postedAt + share;
  before = [...before.slice(1 - KEPT), share];
  for (const way of ways.values()) way.expect(one);
  draw();
}

async function burst() {
  $('burst').disabled = true;
  for (let count = 0; count < BURST; count++) await probe();
  $('burst').disabled = false;
}

/** The first ones come when each way is there, so that there is something to see at once. */
async function probeFirst() {
  for (const end = performance.now() + 5 * PAUSE; performance.now() < end; ) {
    if ([...ways.values()].every((way) => way.isConnected)) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  for (let count = 0; count < FIRST; count++) await probe();
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
  if ($('steady').checked) await probeFirst();
  await probeForEver();
}

function waitForOtherTab() {
  $('answer').textContent = word('other-tab');
  return navigator.locks.request('ways', begin);
}

// A browser opens six connections to a site, and these ways hold three: a second tab would leave none for probes.
if (navigator.locks) navigator.locks.request('ways', { ifAvailable: true }, (lock) => lock ? begin() : waitForOtherTab());
else begin();
