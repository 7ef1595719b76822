// Asks over HTTP with its connection's number, and hears the answer on its stream.

import { post } from '../bound.js';
import { listenForEver } from '../stream.js';

const $ = (id) => document.getElementById(id);
let connid;

function showState(state, words) {
  $('state').dataset.state = state;
  $('state').textContent = words;
}

function hear({ ep, e }) {
  if (ep.emitted === '@SERVER@') {
    connid = e.detail.connid;
    showState('connected', 'Connected');
  } else if (e.type === 'progress') {
    $('progress').value = e.detail;
  } else {
    $('progress').value = 1;
    const text = `${e.detail.number} = ${e.detail.factors.join(' × ')}`;
    $('answers').prepend(Object.assign(document.createElement('li'), { textContent: text }));
  }
}

$('ask').addEventListener('submit', (submission) => {
  submission.preventDefault();
  post('ask.php', { connid, number: Number($('ask').number.value) });
});

listenForEver('/notify/', () => ({ ep: ['ask/answers'] }), {
  event: hear,
  connecting: () => showState('connecting', 'Connecting'),
  waiting: () => showState('waiting', 'Connecting again'),
});
