// The page: one connection to the broker, what it brings shown, and a form whose words go out through PHP.

import { connect } from '/client/index.js';
import { EventList } from './events.js';
import { VISITOR, beginLife } from './life.js';
import { People, paint } from './people.js';
import { post } from './post.js';
import { Rate } from './rate.js';
import { showState } from './state.js';
import { word } from './words.js';
import './copy.js';

const PRESENCE = '@CONNECTION@/';
const TOPICS = ['demo/#', `${PRESENCE}+`];
const WAYS = { ws: 'WebSocket', frames: 'Streamed frames', sse: 'Server-Sent Events', poll: 'Long-poll' };

const $ = (id) => document.getElementById(id);
const form = $('say');
const clid = ownName();
const client = connect({ url: '/notify/', clid, topics: TOPICS });

const people = new People({ list: $('people'), count: $('count'), own: clid, visitor: VISITOR, choose: whisperToPerson });
const rate = new Rate({ figure: $('rate'), most: $('most'), drawing: $('sparkline') });
const events = new EventList({ list: $('events'), total: $('total'), hint: $('nothing'), choose: whisperTo });

/** A name for this tab; it stays when the page is loaded again. */
function ownName() {
  const names = ['ana', 'bruno', 'carla', 'dario', 'elena', 'fidel', 'gala', 'hugo', 'irene', 'julia', 'leo', 'mara'];
  const pick = (from) => from[Math.floor(Math.random() * from.length)];
  const name = sessionStorage.getItem('clid') ?? `${pick(names)}-${1000 + Math.floor(Math.random() * 9000)}`;
  sessionStorage.setItem('clid', name);
  return name;
}

function hear(event) {
  const { topic, detail } = event;
  rate.count();
  events.count();
  if (event.type !== 'burst') events.add(event);
  $('newest').textContent = client.lastId;
  if (topic.startsWith(PRESENCE)) people.hear(topic.slice(PRESENCE.length), Number(detail.clid_instances));
}

function follow(state) {
  showState(state);
  if (state !== 'connected') return;
  $('connid').textContent = client.connid;
  $('way').textContent = WAYS[client.transport];
  people.refresh();
}

async function whisperToPerson(name) {
  const ids = await (await fetch(`people.php?clid=${encodeURIComponent(name)}`)).json();
  if (ids.length) whisperTo(ids.at(-1));
  else $('answer').textContent = word('left', { name });
}

function whisperTo(connid) {
  form.way.value = 'whisper';
  form.connid.value = connid;
  showWay();
  form.text.focus();
}

function showWay() {
  form.dataset.way = form.way.value;
  form.connid.required = form.way.value === 'whisper';
  form.topic.required = !form.connid.required;
}

async function send(submission) {
  submission.preventDefault();
  const whispering = form.way.value === 'whisper';
  const detail = { text: form.text.value, from: clid, connid: client.connid };
  const say = whispering
    ? { topic: 'demo/whisper', type: 'whisper', whisper: Number(form.connid.value), detail }
    : { topic: form.topic.value, type: 'shout', detail };
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch('emit.php', { method: 'POST', headers, body: JSON.stringify(say) });
  showAnswer(response, await response.json());
  if (response.ok && form.text.value === detail.text) form.text.value = ''; // and not what was written meanwhile
}

function showAnswer(response, answer) {
  const heard = word(answer.receivers === 1 ? 'heard-one' : 'heard', { n: answer.receivers });
  $('answer').textContent = response.ok ? heard : `${response.status}: ${answer.error}`;
  $('answer').dataset.result = response.ok ? 'good' : 'bad';
  if (response.ok) form.text.focus();
}

/** A thousand events, of which the rate tells; the list has one line for them. */
async function burst() {
  $('burst').disabled = true;
  const { ms, error } = await post('burst.php', {});
  $('burst').disabled = false;
  const text = error ?? word('burst', { ms });
  events.add({ iat: Date.now(), topic: 'demo/burst', type: 'burst', detail: { text, demo: true } });
}

$('clid').textContent = clid;
paint($('avatar'), clid);
$('topics').replaceChildren(...TOPICS.map((topic) => Object.assign(document.createElement('code'), { textContent: topic })));
people.begin(JSON.parse($('present').textContent));
form.addEventListener('submit', send);
form.addEventListener('change', showWay);
$('burst').addEventListener('click', burst);
showWay();
beginLife($('life'));

client.on('*', hear);
client.on('@state', follow);
