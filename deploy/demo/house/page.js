// One user's page: the level while it is about the level, and the user's inbox wherever it is.

import { listenBound } from '../bound.js';

const INBOX = { topic: '@USER@', binded: true };
const LEVEL = { topic: 'CASA/NIVEL_AGUA', binded: true };

const $ = (id) => document.getElementById(id);
const { seat, elsewhere } = document.querySelector('main').dataset;
const states = { connected: 'Connected', waiting: 'Connecting again' };

function hear({ ep, e }) {
  const targeted = ep.requested === INBOX.topic;
  const line = Object.assign(document.createElement('li'), {
    textContent: `${new Date().toLocaleTimeString()} ${ep.emitted}: ${e.type} ${e.detail.cm} cm`,
  });
  line.dataset.targeted = targeted;
  $('heard').prepend(line);
  $('nothing').hidden = true;
  if (!targeted) $('level').textContent = e.detail.cm;
}

listenBound(seat, elsewhere === 'true' ? [INBOX] : [LEVEL, INBOX], {
  event: hear,
  state: (word) => {
    $('state').dataset.state = word;
    $('state').textContent = states[word];
  },
});
