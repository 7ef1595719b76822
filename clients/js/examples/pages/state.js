// Shows how the connection is.
function showState(client) {
  const place = document.querySelector('#state');
  const show = () => {
    place.textContent = client.state === 'connected' ? `connected by ${client.transport}` : client.state;
    place.dataset.state = client.state;
  };
  client.on('@state', show);
  client.on('@error', ({ message }) => console.info('The connection:', message));
  show();
}

function addLine(text) {
  const line = document.createElement('li');
  line.textContent = text;
  document.querySelector('#lines').append(line);
}

const post = (url, body) => fetch(url, { method: 'POST', body: JSON.stringify(body) });
