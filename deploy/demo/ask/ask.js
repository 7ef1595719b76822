// Asks over HTTP with its connection's number, and hears the answer by that connection.

import { connect } from '/client/index.js';
import { post } from '../post.js';
import { showState } from '../state.js';

const $ = (id) => document.getElementById(id);

// Not shared with other tabs: they would hear what is whispered.
const client = connect({ url: '/notify/', topics: ['ask/answers'], share: false });
client.on('@state', showState);
client.on('progress', ({ detail }) => ($('progress').value = detail));

function show(text) {
  $('progress').value = 1;
  $('answers').prepend(Object.assign(document.createElement('li'), { textContent: text }));
}

async function ask(number) {
  const isAnswer = ({ type, detail }) => type === 'answer' && detail.number === number;
  const { detail } = await client.whisper(isAnswer, (connid) => post('ask.php', { connid, number }));
  show(`${number} = ${detail.factors.join(' × ')}`);
}

$('ask').addEventListener('submit', (submission) => {
  submission.preventDefault();
  ask(Number($('ask').number.value)).catch((error) => show(error.message));
});
