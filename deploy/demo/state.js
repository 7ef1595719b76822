// How the connection is, in the words of a page's #state.

import { word } from './words.js';

const KNOWN = ['connected', 'connecting', 'waiting', 'offline'];

export function showState(state) {
  const shown = document.getElementById('state');
  shown.dataset.state = state === 'offline' ? 'waiting' : state;
  shown.textContent = word(KNOWN.includes(state) ? state : 'closed');
}
