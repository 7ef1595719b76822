// One user's page: the level while it is about the level, and the user's inbox wherever it is.

import { connect } from '/client/index.js';
import { showState } from '../state.js';
import { timeOf } from '../words.js';

const INBOX = { topic: '@USER@', binded: true };
const LEVEL = { topic: 'CASA/NIVEL_AGUA', binded: true };

const $ = (id) => document.getElementById(id);
const { seat, elsewhere } = document.querySelector('main').dataset;

function hear({ requested, topic, type, detail }) {
  const line = Object.assign(document.createElement('li'), {
    textContent: `${timeOf(new Date())} ${topic}: ${type} ${detail.cm} cm`,
  });
  line.dataset.targeted = requested === INBOX.topic;
  $('heard').prepend(line);
  $('nothing').hidden = true;
  if (requested === LEVEL.topic) $('level').textContent = detail.cm;
}

const client = connect({
  url: '/notify/',
  topics: elsewhere === 'true' ? [INBOX] : [LEVEL, INBOX],
  bindKey: async () => (await fetch(`../bind-key.php?seat=${seat}`)).text(),
  share: false, // so that the sensor is told how many pages hear it; else a name for all tabs of this user
});
client.on('*', hear);
client.on('@state', showState);
