// The code that is shown: one listing of several, and a button that copies it.

const code = document.getElementById('code');
const shown = () => code.querySelector(`[data-of=${code.querySelector('[name=listing]:checked').value}]`);

function choose() {
  for (const listing of code.querySelectorAll('[data-of]')) listing.hidden = listing !== shown();
}

/** Pages without TLS have no clipboard; there the old command does it. */
async function copy({ currentTarget: button }) {
  const listing = shown();
  getSelection().selectAllChildren(listing);
  try {
    await navigator.clipboard.writeText(listing.textContent);
  } catch {
    document.execCommand('copy');
  }
  button.textContent = 'Copied';
  setTimeout(() => (button.textContent = 'Copy'), 2000);
}

code.addEventListener('change', choose);
document.getElementById('copy').addEventListener('click', copy);
choose();
