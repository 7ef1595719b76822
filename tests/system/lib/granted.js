'use strict';

// What tests of private topics, of events to users and of open topics have in common.

const assert = require('node:assert/strict');
const { Bound } = require('./bound');
const { freePort } = require('./ports');
const { SECRET, accessToken } = require('./tokens');
const { BehindWebServer } = require('./webservers');

const END = 'the/end';

const granted = (topic) => ({ topic, private: true });

/** An access token that grants the topics that match the patterns `sub`. */
const token = (user, sub, more = {}) => accessToken(user, { claims: { esn: { sub } }, ...more });

/** A stack behind nginx that takes access tokens and raw TCP. */
async function startBound(config = {}) {
  const linesPort = await freePort();
  const bound = await Bound.start({
    config: { token: { keys_file: 'token.keys' }, ...config, fanout: { listen_lines: `127.0.0.1:${linesPort}`, ...config.fanout } },
    prepare: (stack) => stack.writeTokens('token.keys', [SECRET]),
  });
  bound.linesPort = linesPort;
  return bound;
}

/** The same without a database of registered topics. */
async function startWithoutDatabase(config = {}, prepare = () => {}) {
  const linesPort = await freePort();
  const web = await BehindWebServer.start('nginx', {
    config: { token: { keys_file: 'token.keys' }, ...config, fanout: { listen_lines: `127.0.0.1:${linesPort}`, ...config.fanout } },
    prepare: (stack) => {
      stack.writeTokens('token.keys', [SECRET]);
      prepare(stack);
    },
  });
  const { stack, url } = web;
  const post = (points, { type = 'x', ...more } = {}) =>
    stack.post({ ep: [].concat(points), e: { type }, ...more }, { url: `${url}event` });
  return { web, stack, url, linesPort, post, stop: () => web.stop() };
}

/** Where every-transport.js finds it. */
const placeOf = (bound) => ({ url: bound.url, port: bound.web.port, linesPort: bound.linesPort });

let ends = 0;

/** What these clients, which have subscribed to END, have heard by now: [type, requested, emitted]. */
async function heard(bound, ...clients) {
  const type = `end-${++ends}`;
  assert.equal((await bound.post(END, { type })).status, 200);
  const taken = await Promise.all(clients.map((client) => client.takeUntil(type)));
  return taken.map((frames) =>
    frames
      .filter(({ ep, e }) => ep.requested !== '@SERVER@' && !e.type.startsWith('end-'))
      .map(({ ep, e }) => [e.type, ep.requested, ep.emitted]),
  );
}

/** Posts one event point, which has to be taken. */
async function publish(bound, point, type, more = {}) {
  const answer = await bound.post(point, { type, ...more });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

module.exports = { END, granted, heard, placeOf, publish, startBound, startWithoutDatabase, token };
