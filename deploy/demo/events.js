// What arrived, newest first. Entries are made once a picture, so that a thousand events a second do not stall the page.

import { paint } from './people.js';

const KEPT = 200; // entries
const SHOWN = 400; // characters of a detail

const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text });

const shorten = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text);

function timeOf(iat) {
  const time = element('time', 'time', new Date(iat).toTimeString().slice(0, 8));
  time.dateTime = new Date(iat).toISOString();
  return time;
}

export class EventList {
  #waiting = [];
  #arrived = 0;
  #list;
  #total;
  #hint;
  #choose;

  constructor({ list, total, hint, choose }) {
    this.#list = list;
    this.#total = total;
    this.#hint = hint;
    this.#choose = choose;
  }

  add(event) {
    this.#arrived++;
    if (this.#waiting.push(event) === 1) requestAnimationFrame(() => this.#show());
  }

  #show() {
    const newest = this.#waiting.slice(-KEPT).reverse();
    this.#waiting = [];
    this.#list.prepend(...newest.map((event) => this.#entry(event)));
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove();
    this.#total.textContent = this.#arrived.toLocaleString();
    this.#hint.hidden = true;
  }

  #entry({ iat, topic, type, detail }) {
    const entry = document.createElement('li');
    entry.dataset.type = type;
    entry.dataset.presence = topic.startsWith('@');
    entry.append(timeOf(iat), element('span', 'type', type), element('code', 'topic', topic));
    entry.append(...this.#detail(detail));
    return entry;
  }

  /** What this page sends has a text and says who sends it; anything else is shown as the JSON it is. */
  #detail(detail) {
    if (detail === undefined || detail === null) return [];
    if (typeof detail.text !== 'string') return [element('code', 'json', shorten(JSON.stringify(detail)))];
    const text = element('span', 'text', shorten(detail.text));
    if (!Number.isInteger(detail.connid)) return [text];
    const from = element('button', 'from', '');
    const avatar = from.appendChild(element('span', 'avatar', ''));
    paint(avatar, String(detail.from));
    avatar.setAttribute('aria-hidden', 'true');
    from.append(detail.from);
    from.type = 'button';
    from.title = `Whisper to connection ${detail.connid}`;
    from.addEventListener('click', () => this.#choose(detail.connid));
    return [text, from];
  }
}
