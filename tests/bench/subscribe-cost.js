'use strict';

// ESN_BUILD=BUILD node tests/bench/subscribe-cost.js [SUBSCRIPTIONS A ROUND]
// What a subscription behind nginx costs in processor time, with an access token of HS256 and without a proof: nginx, esn-subscribe and
// the daemon together. Both are POSTed, and so both go through esn-subscribe. The kinds are measured in turns; of the rounds a
// quarter cost no more than what is said.

const fs = require('node:fs');
const http = require('node:http');
const { Bound } = require('../system/lib/bound');
const { SECRET, accessToken } = require('../system/lib/tokens');

const CLIENTS = 8;
const ROUNDS = 40;
const [count = '200'] = process.argv.slice(2);

/** Microseconds of processor time that these processes and their children have used. */
function processorTime(programs) {
  let sum = 0;
  for (const program of programs) {
    for (const pid of [program.pid, ...program.children()]) {
      for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
        sum += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
      }
    }
  }
  return sum;
}

/** Subscribes, and leaves with the first frame. */
function subscribe(url, agent, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers: { 'Content-Length': body.length } }, (answer) => {
      answer.once('data', () => {
        request.destroy();
        resolve(answer.statusCode);
      });
      answer.on('error', () => {});
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function cost(bound, body) {
  const programs = [bound.web.server, bound.web.handler, bound.stack.daemon];
  const before = processorTime(programs);
  let next = 0;
  const client = async () => {
    while (next++ < Number(count)) {
      const status = await subscribe(bound.url, false, body);
      if (status !== 200) {
        throw new Error(`status ${status}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await bound.stack.untilTotal(0);
  return (processorTime(programs) - before) / Number(count);
}

const quartile = (values) => [...values].sort((a, b) => a - b)[values.length >> 2];

async function main() {
  const bound = await Bound.start({
    config: { messages: { level: 'info' }, token: { keys_file: 'token.keys' } },
    prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
  });
  try {
    const bodies = {
      unbound: Buffer.from(JSON.stringify({ ep: ['house/lamp'] })),
      token: Buffer.from(JSON.stringify({ ep: ['house/lamp'], token: accessToken('luis', { seconds: 86400 }) })),
    };
    const costs = { unbound: [], token: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, body] of Object.entries(bodies)) {
        const value = await cost(bound, body);
        if (round > 0) {
          costs[name].push(value); // the first round warms up
        }
      }
    }
    const [unbound, token] = Object.values(costs).map(quartile);
    console.log(`unbound ${unbound.toFixed(0)} us, with an access token ${token.toFixed(0)} us: ${(token / unbound).toFixed(2)} times`);
  } finally {
    await bound.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
