// The sensor's buttons, and the rights as the database has them.

import { post } from '../post.js';
import { word } from '../words.js';

const $ = (id) => document.getElementById(id);
const boxes = [...document.querySelectorAll('input[name=sub]')];

function show({ sub }) {
  for (const box of boxes) box.checked = sub.includes(box.value);
}

async function measure(targeted) {
  const { receivers, error } = await post('measure.php', { targeted });
  $('answer').textContent = error ?? word(receivers === 1 ? 'pages-one' : 'pages', { n: receivers });
  $('answer').dataset.result = error ? 'bad' : 'good';
}

$('rights').addEventListener('change', async () => {
  show(await post('rights.php', { sub: boxes.filter((box) => box.checked).map((box) => box.value) }));
  $('answer').textContent = word('saved');
});
$('measure').addEventListener('click', () => measure(false));
$('alarm').addEventListener('click', () => measure(true));
show(await (await fetch('rights.php')).json());
