// What arrived, newest first. Entries are made once a picture, so that a thousand events a second do not stall the page.

import { paint } from './people.js';
import { number, timeOf, word } from './words.js';

const KEPT = 200; // entries
const SHOWN = 400; // characters of a detail

const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text });

const shorten = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${word('characters', { n: text.length })})` : text);

function timeElement(iat) {
  const time = element('time', 'time', timeOf(new Date(iat)));
  time.dateTime = new Date(iat).toISOString();
  return time;
}

export class EventList {
  #waiting = [];
  #arrived = 0;
  #plans; // to show what is waiting
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

  /** One more has arrived, whether it is shown or not. */
  count() {
    this.#arrived++;
    this.#plan();
  }

  add(event) {
    this.#waiting.push(event);
    this.#plan();
  }

  #plan() {
    this.#plans ??= requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#plans = undefined;
    const newest = this.#waiting.slice(-KEPT).reverse();
    this.#waiting = [];
    this.#list.prepend(...newest.map((event) => this.#entry(event)));
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove();
    this.#total.textContent = number(this.#arrived);
    this.#hint.hidden = true;
  }

  #entry({ iat, topic, type, detail }) {
    const entry = document.createElement('li');
    entry.dataset.type = type;
    entry.dataset.presence = topic.startsWith('@');
    entry.append(timeElement(iat), element('span', 'type', type), element('code', 'topic', topic));
    entry.append(...this.#detail(detail));
    return entry;
  }

  /** What this page sends has a text and says who sends it; anything else is shown as the JSON it is. */
  #detail(detail) {
    if (detail === undefined || detail === null) return [];
    if (typeof detail.text !== 'string') return [element('code', 'json', shorten(JSON.stringify(detail)))];
    const text = element('span', 'text', shorten(detail.text));
    if (detail.demo === true) return [text, element('small', 'demo', word('demo'))];
    if (!Number.isInteger(detail.connid)) return [text];
    const from = element('button', 'from', '');
    const avatar = from.appendChild(element('span', 'avatar', ''));
    paint(avatar, String(detail.from));
    avatar.setAttribute('aria-hidden', 'true');
    from.append(detail.from);
    from.type = 'button';
    from.title = word('whisper-connection', { name: detail.connid });
    from.addEventListener('click', () => this.#choose(detail.connid));
    return [text, from];
  }
}
