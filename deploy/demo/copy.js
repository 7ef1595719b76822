// Buttons that copy: those with data-copies="ID" the text of that element.

import { word } from './words.js';

const SHOWN_MS = 2000;
const timers = new WeakMap(); // of buttons that say that they have copied

/** Copies an element's text. Pages without TLS have no clipboard; there the old command does it. */
export async function copyFrom(element, button) {
  getSelection().selectAllChildren(element);
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    document.execCommand('copy');
  }
  button.textContent = word('copied');
  clearTimeout(timers.get(button));
  timers.set(button, setTimeout(() => (button.textContent = word('copy')), SHOWN_MS));
}

for (const button of document.querySelectorAll('[data-copies]')) {
  button.addEventListener('click', () => copyFrom(document.getElementById(button.dataset.copies), button));
}
