// Who is present: a list that the page begins with, brought up to date by the presence events.

import { word } from './words.js';

const ANONYMOUS = '@ANON_CONNECTION@';

/** The same colour for the same name, everywhere. */
export function paint(avatar, clid) {
  let hue = 7;
  for (const unit of clid) hue = (hue * 31 + unit.codePointAt(0)) % 360;
  avatar.style.setProperty('--hue', hue);
  avatar.textContent = clid === ANONYMOUS ? '?' : [...clid][0];
}

export class People {
  #counts = new Map(); // client id -> its connections
  #heard = new Set(); // client ids that an event has told of since the last refresh() began
  #list;
  #count;
  #own;
  #visitor; // the demo's own
  #choose;

  constructor({ list, count, own, visitor, choose }) {
    this.#list = list;
    this.#count = count;
    this.#own = own;
    this.#visitor = visitor;
    this.#choose = choose;
  }

  begin(counts) {
    this.#counts = new Map(Object.entries(counts));
    this.#show();
  }

  /** A presence event says how many there are now. */
  hear(clid, instances) {
    this.#heard.add(clid);
    this.#set(clid, instances);
    this.#show();
  }

  /** Asks anew, for what happened while nobody listened; what events say meanwhile is newer than the answer. */
  async refresh() {
    this.#heard.clear();
    const response = await fetch('people.php');
    if (!response.ok) return;
    const counts = await response.json();
    for (const clid of new Set([...this.#counts.keys(), ...Object.keys(counts)])) {
      if (!this.#heard.has(clid)) this.#set(clid, counts[clid] ?? 0);
    }
    this.#show();
  }

  #set(clid, instances) {
    if (instances > 0) this.#counts.set(clid, instances);
    else this.#counts.delete(clid);
  }

  #show() {
    const names = [...this.#counts.keys()].sort((a, b) => (b === this.#own) - (a === this.#own) || a.localeCompare(b));
    this.#count.textContent = names.length;
    this.#list.replaceChildren(...names.slice(0, 100).map((clid) => this.#entry(clid, this.#counts.get(clid))));
  }

  #entry(clid, instances) {
    const entry = document.createElement('li');
    const button = entry.appendChild(document.createElement('button'));
    const avatar = button.appendChild(document.createElement('span'));
    const name = button.appendChild(document.createElement('span'));
    avatar.className = 'avatar';
    avatar.setAttribute('aria-hidden', 'true');
    paint(avatar, clid);
    name.className = 'name';
    name.textContent = clid === ANONYMOUS ? word('nameless') : clid;
    button.type = 'button';
    button.title = word('whisper', { name: name.textContent });
    button.addEventListener('click', () => this.#choose(clid));
    const notes = [clid === this.#own && word('you'), clid === this.#visitor && word('demo'), instances > 1 && word('connections', { n: instances })];
    const note = notes.filter(Boolean);
    if (note.length) button.appendChild(document.createElement('small')).textContent = note.join(', ');
    return entry;
  }
}
