'use strict';

const { tool } = require('./paths');
const { run } = require('./program');

const promtool = (...words) => run([tool('promtool', 'prometheus'), ...words]);

/** What `promtool check metrics` says of a text; '' when it has nothing to say. */
async function checkMetrics(text) {
  const ended = await run([tool('promtool', 'prometheus'), 'check', 'metrics'], { input: text });
  return `${ended.code === 0 ? '' : `exit status ${ended.code}\n`}${ended.stdout}${ended.stderr}`;
}

/** The samples of a text in Prometheus's format, by name with labels as they stand there. */
function samplesOf(text) {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(' ');
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

/** {label: [values]} of all samples. */
function labelsOf(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(/[{,]([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) {
    (labels[name] ??= new Set()).add(value);
  }
  return labels;
}

module.exports = { checkMetrics, labelsOf, promtool, samplesOf };
