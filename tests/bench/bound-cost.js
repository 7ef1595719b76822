'use strict';

// ESN_BUILD=BUILD node tests/bench/bound-cost.js [sqlite|mariadb] [POSTS A ROUND]
// What a bound post costs esn-event in processor time, beside an unbound one, with 10,000 registered topics. Three kinds of
// post are measured in turns: unbound; unbound with a bind key, which is read all the same; bound. The difference of the
// first two is what reading a bind key costs (RSA); what the third costs beyond that is said as a multiple of the first.

const fs = require('node:fs');
const http = require('node:http');
const { bindKey } = require('../system/lib/bind-keys');
const { Bound } = require('../system/lib/bound');
const { tool } = require('../system/lib/paths');
const { run } = require('../system/lib/program');

const TOPICS = 10_000;
const CLIENTS = 8;
const ROUNDS = 40;
const [database = 'sqlite', posts = '400'] = process.argv.slice(2);

/** Microseconds of processor time that these processes have used. */
function processorTime(pids) {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
      sum += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
    }
  }
  return sum;
}

async function registerTopics(bound) {
  const rows = Array.from({ length: TOPICS }, (_, i) => `('load/${i}', 'ana', '["luis","eva",7]', '["luis","tom"]')`);
  const sql = `INSERT INTO registered_topics (topic, owner, pub, sub) VALUES ${rows.join(',')};`;
  if (bound.mariadb) {
    await bound.mariadb.sql(sql);
    return;
  }
  const ended = await run([tool('sqlite3', 'sqlite3'), bound.sqlite], { input: sql });
  if (ended.code !== 0) {
    throw new Error(ended.stderr);
  }
}

/** Microseconds for each post. */
async function cost(bound, agent, makePost) {
  const workers = bound.stack.handlers[0].children();
  const before = processorTime(workers);
  let next = 0;
  const client = async () => {
    while (next < Number(posts)) {
      const answer = await bound.stack.post(makePost(`load/${(next++ * 7) % TOPICS}`), { url: `${bound.url}event`, agent });
      if (answer.status !== 200) {
        throw new Error(answer.text);
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (processorTime(workers) - before) / Number(posts);
}

/** What is left when other programs disturb less: a quarter of the rounds cost no more. */
const quartile = (values) => [...values].sort((a, b) => a - b)[values.length >> 2];

async function measure(bound) {
  const e = { type: 'level', detail: { value: 17, text: 'the words of an event' } };
  const key = bindKey('luis');
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  const kinds = {
    unbound: (topic) => ({ ep: [topic], e }),
    keyed: (topic) => ({ ep: [topic], e, bind_key: key }),
    bound: (topic) => ({ ep: [{ topic, binded: true }], e, bind_key: key }),
  };
  const costs = { unbound: [], keyed: [], bound: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, makePost] of Object.entries(kinds)) {
      const value = await cost(bound, agent, makePost);
      if (round > 0) {
        costs[name].push(value); // the first round warms up
      }
    }
  }
  agent.destroy();
  const [unbound, keyed, whole] = Object.values(costs).map(quartile);
  const rsa = keyed - unbound;
  const words = [`unbound ${unbound.toFixed(0)} us`, `bind key ${rsa.toFixed(0)} us`, `bound ${whole.toFixed(0)} us`];
  console.log(`${database}: ${words.join(', ')}; beside the key ${((whole - rsa) / unbound).toFixed(2)} times an unbound one`);
}

async function main() {
  const bound = await Bound.start({ database, config: { messages: { level: 'info' } } });
  try {
    await registerTopics(bound);
    await measure(bound);
  } finally {
    await bound.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
