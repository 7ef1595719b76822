// The code that is shown: one listing of several, and a button that copies it.

import { copyFrom } from '../copy.js';

const code = document.getElementById('code');
const shown = () => code.querySelector(`[data-of=${code.querySelector('[name=listing]:checked').value}]`);

function choose() {
  for (const listing of code.querySelectorAll('[data-of]')) listing.hidden = listing !== shown();
}

code.addEventListener('change', choose);
document.getElementById('copy').addEventListener('click', ({ currentTarget }) => copyFrom(shown(), currentTarget));
choose();
