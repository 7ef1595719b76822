'use strict';

const fs = require('node:fs');
const { source } = require('../../system/lib/paths');
const { freePort } = require('../../system/lib/ports');
const { Program } = require('../../system/lib/program');
const { trust } = require('../../system/lib/secure');

const LIMIT_MS = 300_000; // it builds

/** deploy/quickstart with its state in FOLDER/state: {quickstart, state, env, readEnv}; ENV: variables for it. `readEnv` reads its env anew. */
async function startQuickstart(folder, options = [], env = {}) {
  const state = `${folder}/state`;
  const command = [`${source}/deploy/quickstart`, '--no-install', '--dir', state, '--port', String(await freePort())];
  const quickstart = new Program('quickstart', [...command, ...options], { log: `${folder}/quickstart.log`, env });
  await quickstart.until('DIR/env is there', () => fs.existsSync(`${state}/env`), LIMIT_MS);
  const readEnv = () => {
    const lines = fs.readFileSync(`${state}/env`, 'utf8').trim().split('\n');
    return Object.fromEntries(lines.map((line) => line.match(/^(\w+)='?(.*?)'?$/).slice(1)));
  };
  const first = readEnv();
  if (first.CURL_CA_BUNDLE) {
    trust(first.CURL_CA_BUNDLE);
  }
  return { quickstart, state, env: first, readEnv };
}

module.exports = { startQuickstart };
