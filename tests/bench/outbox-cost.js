'use strict';

// From COMMIT to the page by way of the outbox, with the doorbell, and what the outbox costs the page that commits, with the broker
// there and dead. ESN_BUILD=DIR node tests/bench/outbox-cost.js [sqlite|mariadb] [COUNT]

const path = require('node:path');
const { Outbox } = require('../system/lib/outbox');
const { tool } = require('../system/lib/paths');
const { run } = require('../system/lib/program');

const [database = 'mariadb', count = '1000'] = process.argv.slice(2);

function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(2));
  return { half: at(0.5), '99 %': at(0.99), longest: at(1) };
}

async function pages(outbox, adds) {
  const command = [tool('php', 'php-cli'), path.join(__dirname, 'outbox-page.php'), outbox.dsn, `unix:${outbox.doorbell}`, count, adds];
  const ended = await run(command);
  if (ended.code !== 0) {
    throw new Error(ended.stderr || ended.stdout);
  }
  return ended.stdout.trim().split('\n').map((line) => line.split(' ').map(Number));
}

async function main() {
  const outbox = await Outbox.start('cost', { database, durable: true, config: { messages: { level: 'info' } } });
  await outbox.sql('CREATE TABLE orders (id INTEGER PRIMARY KEY, paid INTEGER NOT NULL); INSERT INTO orders VALUES (1, 0);');
  const arrived = new Map();
  const onFrame = ({ json }) => arrived.set(json.e.detail, performance.timeOrigin + performance.now());
  const subscriber = await outbox.stack.subscribe(['orders/1'], { onFrame });
  const worker = await outbox.startWorker();
  const figures = { database, pages: Number(count) };
  const took = (lines) => summary(lines.map(([, ms]) => ms));
  figures.pageWithoutEventMs = took(await pages(outbox, '0'));
  const lines = await pages(outbox, '1');
  await subscriber.until('all have come', () => arrived.has(Number(count) - 1));
  figures.pageMs = took(lines);
  figures.commitToSubscriberMs = summary(lines.map(([number, , committed]) => arrived.get(number) - committed));
  await subscriber.close();
  await outbox.stack.daemon.end('SIGKILL');
  figures.pageWithDeadDaemonMs = took(await pages(outbox, '1'));
  await worker.end('SIGKILL');
  figures.pageWithNothingThereMs = took(await pages(outbox, '1'));
  console.log(JSON.stringify(figures, null, 2));
  await outbox.stop();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
