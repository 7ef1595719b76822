// How the connection is, in the words of a page's #state.

const WORDS = { connected: 'Connected', connecting: 'Connecting', waiting: 'Connecting again', offline: 'No network' };

export function showState(state) {
  const shown = document.getElementById('state');
  shown.dataset.state = state === 'offline' ? 'waiting' : state;
  shown.textContent = WORDS[state] ?? 'Not connected';
}
