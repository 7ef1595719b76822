'use strict';

// Two users in one browser, as at a counter or at home: nobody hears what is for the other.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Bound } = require('../system/lib/bound');
const { browserName, setScene } = require('./lib/scene');

const scene = setScene('users', {
  start: async () => {
    const bound = await Bound.start({ config: { log: { path: 'recent.log' } } });
    for (const user of ['ana', 'luis']) {
      await bound.add(`for/${user}`, { owner: user });
      await bound.esnctl('follow', `for/${user}`, user);
    }
    return bound;
  },
});

const OPTIONS = { topics: ['news', { topic: '@USER@', binded: true }], backoff: 20, maxBackoff: 200 };

async function login(user) {
  const desk = await scene.profile.openTab();
  await desk.goto(scene.site.login(user));
  await desk.close();
}

/** A page of the user who is logged in. */
async function open(user, more) {
  const tab = await scene.open({ ...OPTIONS, ...more, ...(user && { user }) }, { bound: true });
  await tab.ready();
  return tab;
}

const tell = (user, type) =>
  scene.served.publish(`for/${user}`, { as: user, type, targeted: true });

const tellAll = async (type) => assert.equal((await scene.served.post('news', { type })).status, 200);

describe(`two users in ${browserName}`, () => {
  for (const says of [true, false]) {
    test(`luis logs in beside a page of ana (pages ${says ? 'say' : 'do not say'} for whom they are): each hears its own`, async () => {
      await login('ana');
      const ana = await open(says && 'ana');
      await login('luis');
      const luis = await open(says && 'luis');
      await tell('ana', 'hers');
      await tell('luis', 'his');
      await tellAll('end');
      await luis.untilHeard('end');
      assert.deepEqual(await luis.heard(), ['his for/luis', 'end news']);
      assert.equal((await ana.heard()).includes('his for/luis'), false);
    });
  }

  test('luis logs in, the connection of ana’s page breaks: it never hears what is for luis, and does not claim to hear', async () => {
    await login('ana');
    const ana = await open('ana');
    await login('luis');
    await ana.evaluate(() => client.abort());
    await tell('luis', 'his');
    await tellAll('end');
    await ana.until(() => heard.some(({ type }) => type === 'end') || client.state !== 'connected');
    await ana.until(() => errors.some((text) => text.startsWith('identity')) || heard.some(({ type }) => type === 'end'));
    assert.equal((await ana.heard()).includes('his for/luis'), false);
  });

  test('ana comes back after luis: her page rings for nothing of his, his for nothing of hers', async () => {
    await login('ana');
    const first = await open('ana');
    await first.close();
    await login('luis');
    const luis = await open('luis');
    await luis.evaluate(() => client.abort());
    await luis.ready();
    await login('ana');
    const ana = await open('ana');
    await tell('ana', 'hers');
    await tell('luis', 'his');
    await tellAll('end');
    await Promise.all([ana, luis].map((tab) => tab.untilHeard('end')));
    assert.deepEqual(await ana.heard(), ['hers for/ana', 'end news']);
    assert.deepEqual(await luis.heard(), ['his for/luis', 'end news']);
  });

  test('two profiles of one browser: two users, two connections', async () => {
    await login('ana');
    const ana = await open('ana');
    const other = await scene.newProfile();
    const own = scene.profile;
    scene.profile = other;
    await login('luis');
    const luis = await open('luis');
    scene.profile = own;
    await scene.stack.untilTotal(2);
    await tell('ana', 'hers');
    await tellAll('end');
    await Promise.all([ana, luis].map((tab) => tab.untilHeard('end')));
    assert.deepEqual(await ana.heard(), ['hers for/ana', 'end news']);
    assert.deepEqual(await luis.heard(), ['end news']);
    await other.close();
  });
});
