// Buttons that copy: those with data-copies="ID" the text of that element.

import { word } from './words.js';

/** Copies an element's text. Pages without TLS have no clipboard; there the old command does it. */
export async function copyFrom(element, button) {
  getSelection().selectAllChildren(element);
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    document.execCommand('copy');
  }
  button.textContent = word('copied');
  setTimeout(() => (button.textContent = word('copy')), 2000);
}

for (const button of document.querySelectorAll('[data-copies]')) {
  button.addEventListener('click', () => copyFrom(document.getElementById(button.dataset.copies), button));
}
