// The window onto a daemon: figures, streams, topics, a listener. It asks only for what the broker's own protocol has.
import { Refused, ask, quantile, samples, sum } from './ask.js';
import { Tile } from './chart.js';
import { say, words } from './words.js';

const EVERY_MS = 2000;
const SEARCH_MOST = 50;
const HEARD_MOST = 200;

const $ = (id) => document.getElementById(id);
const settings = { admin: sessionStorage.getItem('esn-admin') ?? '', publish: sessionStorage.getItem('esn-publish') ?? '' };
let language = localStorage.getItem('esn-language') ?? (navigator.language.startsWith('es') ? 'es' : 'en');
let timer;
let before;
let chosen; // connid and user of the stream whose life is shown
const listener = { source: undefined, paused: false, missed: 0, waiting: [] };

const word = (key, n) => say(language, key, n);
const number = (value, digits = 0) => value.toLocaleString(language, { maximumFractionDigits: digits });
const seconds = (ms) => `${number(ms / 1000, 1)} s`;

/* ---- words ---- */

function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-word]')) {
    element.textContent = word(element.dataset.word);
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', word(element.dataset.label));
  }
  $('language').textContent = word('otherLanguage');
  $('language').lang = language === 'en' ? 'es' : 'en';
  $('pause').textContent = word(listener.paused ? 'goOn' : 'pause');
  for (const tile of tiles) {
    tile.label.textContent = word(tile.key);
  }
}

/* ---- small parts ---- */

function row(cells, labels = []) {
  const element = document.createElement('tr');
  cells.forEach((cell, i) => {
    const at = document.createElement('td');
    at.className = labels[i] ?? '';
    at.append(cell);
    element.append(at);
  });
  return element;
}

function fill(id, rows) {
  if (rows.length === 0) {
    rows = [row([word('none')])];
    rows[0].firstChild.colSpan = $(id).parentElement.querySelectorAll('th').length;
  }
  $(id).replaceChildren(...rows);
}

function facts(id, entries) {
  $(id).replaceChildren(...entries.flatMap(([name, value]) => {
    const [term, description] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = name;
    description.textContent = value;
    return [term, description];
  }));
}

function link(text, act) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = text;
  button.addEventListener('click', act);
  return button;
}

/* ---- figures ---- */

const tiles = ['events', 'deliveries', 'openStreams', 'latency', 'memory', 'refusedEvents'].map((key) => new Tile($('tiles'), key));

function showFigures(now, at) {
  const last = before;
  before = { now, at };
  const past = last?.now ?? now;
  const span = last ? (at - last.at) / 1000 : 1;
  const rate = (name) => Math.max(0, ((now.get(name) ?? 0) - (past.get(name) ?? 0)) / span);
  const of = (result) => rate(`esn_events_total{result="${result}"}`);
  const bound = quantile(0.99, 'esn_event_write_seconds', now, past);
  const figures = {
    events: [of('delivered'), number(of('delivered'), 1)],
    deliveries: [rate('esn_deliveries_total'), number(rate('esn_deliveries_total'), 1)],
    openStreams: [sum(now, 'esn_streams'), number(sum(now, 'esn_streams'))],
    latency: [Number(bound ?? 0), bound === undefined ? '–' : `${number(bound * 1000, 2)} ms`],
    memory: [now.get('process_resident_memory_bytes') ?? 0, `${number((now.get('process_resident_memory_bytes') ?? 0) / 1e6, 1)} MB`],
  };
  const refused = ['not_stored', 'no_memory', 'limited'].reduce((total, result) => total + of(result), 0);
  figures.refusedEvents = [refused, number(refused, 1)];
  for (const tile of tiles) {
    tile.show(...figures[tile.key]);
  }
}

function showState(state) {
  const up = Math.floor(state.uptime_ms / 60000);
  $('about').textContent = `${state.version}, ${word('up')} ${Math.floor(up / 1440)} d ${Math.floor(up / 60) % 24} h ${up % 60} min`;
  fill('topicRows', state.busiest_topics.slice(0, 15).map(({ topic, rate, receivers }) =>
    row([link(topic, () => listenTo(topic)), number(rate, 1), number(receivers)], ['', 'number', 'number'])));
  fill('slowRows', state.slowest_streams.map(({ connid, address, pending_bytes: bytes, ms }) =>
    row([link(String(connid), () => search(String(connid)).catch(tellSearch)), address, number(bytes), number(ms / 1000, 1)], ['', '', 'number', 'number'])));
  fill('publisherRows', Object.entries(state.publishers).map(([name, { events, limited }]) =>
    row([name, number(events), number(limited)], ['', 'number', 'number'])));
  facts('nodeFacts', [
    [word('version'), state.version],
    [word('epoch'), new Date(state.epoch).toLocaleString(language)],
    [word('sockets'), `${number(state.sockets)} / ${number(state.max_sockets)}`],
    [word('logEvents'), number(state.log_events)],
    [word('turn'), `${number(state.turns.longest_of_minute.cpu_us / 1000, 2)} ms`],
    [word('closed'), Object.entries(state.closed).filter(([, n]) => n > 0).map(([why, n]) => `${why} ${number(n)}`).join(', ') || '–'],
  ]);
}

/* Not while nobody looks: a tab in the background costs the daemon nothing. */
async function look() {
  clearTimeout(timer);
  if (document.hidden) {
    return;
  }
  try {
    const [metrics, state] = await Promise.all([ask('metrics', settings.admin), ask('state', settings.admin)]);
    showFigures(samples(metrics), performance.now());
    showState(state);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      leave(word('wrongToken'));
      return;
    }
    $('about').textContent = word('away');
  }
  timer = setTimeout(look, EVERY_MS);
}

/* ---- streams ---- */

async function search(text) {
  $('search').elements.match.value = text;
  const query = new URLSearchParams({ details: 'true', limit: SEARCH_MOST, ...(text && { match: text }) });
  const found = Object.entries(await ask(`connections?${query}`, settings.admin));
  fill('found', found.map(([connid, stream]) => row([
    link(connid, () => showLife(connid).catch(tellSearch)), stream.body.user ?? '', stream.body.clid, stream.address, stream.transport,
    stream.body.ep.slice(0, 5).map((topic) => topic.topic ?? topic).join(', ') + (stream.body.ep.length > 5 ? ` … ${stream.body.ep.length}` : ''),
    number(stream.pending_bytes),
  ], ['', '', '', '', '', '', 'number'])));
  $('foundNote').textContent = word(found.length === SEARCH_MOST ? 'shownMost' : 'shown', found.length);
}

async function showLife(connid) {
  const found = await ask(`connections?${new URLSearchParams({ details: 'true', limit: 2, match: connid })}`, settings.admin);
  const stream = found[connid];
  $('life').hidden = false;
  $('dropNote').textContent = '';
  $('lifeTitle').textContent = word('lifeOf', connid);
  chosen = { connid: Number(connid), uid: stream?.body.user };
  $('dropStream').disabled = stream === undefined;
  $('dropUser').disabled = stream?.body.user === undefined;
  facts('lifeFacts', stream === undefined ? [['', word('gone')]] : [
    [word('user'), stream.body.user ?? '–'], [word('name'), stream.body.clid], [word('address'), stream.address],
    [word('transport'), stream.transport], [word('waiting'), number(stream.pending_bytes)],
    [word('catchingUp'), word(stream.catching_up ? 'yes' : 'no')], [word('endsIn'), seconds(stream.ends_in_ms)],
    [word('quietFor'), seconds(stream.quiet_ms)],
    [word('topics'), stream.body.ep.map((topic) => topic.topic ?? topic).join(', ')],
    [word('headers'), Object.entries(stream.headers).map(([name, value]) => `${name}: ${value}`).join('; ')],
  ]);
  $('lifeTitle').focus();
}

function tellSearch(error) {
  $('foundNote').textContent = word('failed', error.message);
}

/* What needs the publisher's token, and says how it went. */
async function order(note, path, body, key, count) {
  if (settings.publish === '') {
    $(note).textContent = word('needsToken');
    return;
  }
  try {
    const answer = await ask(path, settings.publish, body);
    $(note).textContent = word(key, answer[count]);
  } catch (error) {
    $(note).textContent = word('failed', error.message);
  }
}

/* ---- listening ---- */

function listenTo(topic) {
  listener.source?.close();
  $('heard').replaceChildren();
  $('hear').elements.topic.value = topic;
  $('pause').disabled = false;
  const source = new EventSource(`sse?${new URLSearchParams({ ep: topic, clid: 'window' })}`);
  listener.source = source;
  source.addEventListener('connected', () => {
    $('heardNote').textContent = word('connected', topic);
  });
  source.addEventListener('error', () => {
    $('heardNote').textContent = word('notListening');
  });
  source.addEventListener('message', ({ data }) => hear(JSON.parse(data)));
}

function hear({ iat, ep, e }) {
  const text = `${e.type} ${JSON.stringify(e.detail) ?? ''}`;
  const filter = $('hear').elements.filter.value;
  if (!`${ep.emitted} ${text}`.includes(filter)) {
    return;
  }
  if (listener.paused) {
    listener.missed++;
    $('heardNote').textContent = word('heldBack', listener.missed);
    return;
  }
  if (listener.waiting.length === 0) {
    requestAnimationFrame(showHeard);
  }
  listener.waiting.push({ iat, topic: ep.emitted, text });
  if (listener.waiting.length > HEARD_MOST) {
    listener.waiting.shift();
  }
}

/* What came since the last picture, together: a busy topic has more events than a screen has pictures. */
function showHeard() {
  const lines = listener.waiting.splice(0).reverse().map(({ iat, topic, text }) => {
    const [line, name] = [document.createElement('li'), document.createElement('b')];
    name.textContent = topic;
    line.append(`${new Date(iat).toLocaleTimeString(language)} `, name, ` ${text.slice(0, 2000)}`);
    return line;
  });
  $('heard').prepend(...lines);
  while ($('heard').childElementCount > HEARD_MOST) {
    $('heard').lastElementChild.remove();
  }
}

/* ---- coming and going ---- */

function enter() {
  sessionStorage.setItem('esn-admin', settings.admin);
  sessionStorage.setItem('esn-publish', settings.publish);
  $('enter').hidden = true;
  $('room').hidden = $('leave').hidden = false;
  $('refused').textContent = '';
  before = undefined;
  look();
  search('').catch(() => {}); // look() says what is wrong
}

function leave(why = '') {
  clearTimeout(timer);
  listener.source?.close();
  sessionStorage.removeItem('esn-admin');
  sessionStorage.removeItem('esn-publish');
  settings.admin = settings.publish = '';
  $('enter').reset();
  $('enter').hidden = false;
  $('room').hidden = $('leave').hidden = true;
  $('about').textContent = '';
  $('refused').textContent = why;
  $('enter').elements.admin.focus();
}

function onSubmit(id, act) {
  $(id).addEventListener('submit', (event) => {
    event.preventDefault();
    act($(id).elements);
  });
}

onSubmit('enter', ({ admin, publish }) => {
  Object.assign(settings, { admin: admin.value.trim(), publish: publish.value.trim() });
  enter();
});
onSubmit('search', ({ match }) => search(match.value.trim()).catch(tellSearch));
onSubmit('hear', ({ topic }) => listenTo(topic.value));
onSubmit('emit', ({ topic, type, detail }) => {
  let value;
  try {
    value = detail.value.trim() === '' ? undefined : JSON.parse(detail.value);
  } catch {
    $('sent').textContent = word('badJson');
    return;
  }
  order('sent', 'event', { ep: [topic.value], e: { type: type.value, detail: value } }, 'sent', 'receivers');
});
$('dropStream').addEventListener('click', () => order('dropNote', 'drop', { connid: chosen.connid }, 'dropped', 'dropped'));
$('dropUser').addEventListener('click', () => order('dropNote', 'drop', { uid: chosen.uid }, 'dropped', 'dropped'));
$('pause').addEventListener('click', () => {
  listener.paused = !listener.paused;
  listener.missed = 0;
  $('pause').setAttribute('aria-pressed', String(listener.paused));
  translate();
});
$('language').addEventListener('click', () => {
  language = language === 'en' ? 'es' : 'en';
  localStorage.setItem('esn-language', language);
  translate();
  if (!$('room').hidden) {
    look();
  }
});
$('leave').addEventListener('click', () => leave());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !$('room').hidden) {
    look();
  }
});

translate();
if (settings.admin !== '') {
  enter();
}
