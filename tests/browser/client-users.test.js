'use strict';

// Users in one browser: a page shares with those of its own user alone, by the broker's word, and hears nothing of another.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Bound } = require('../system/lib/bound');
const { setScene } = require('./lib/scene');

const INBOX = { topic: '@USER@', bound: true };

const scene = setScene('users', {
  async start() {
    const bound = await Bound.start({ config: { log: { path: 'recent.log' } } });
    for (const user of ['ana', 'luis']) {
      await bound.add(`for/${user}`, { owner: user });
      await bound.esnctl('follow', `for/${user}`, user);
    }
    return bound;
  },
});

let desk;
const login = async (user) => {
  desk ??= {};
  if (desk.profile !== scene.profile) desk = { profile: scene.profile, tab: await scene.profile.openTab() };
  await desk.tab.goto(scene.site.login(user));
};
const open = (options) => scene.open({ topics: [INBOX, 'all'], ...options }, { bound: true });
const tell = (user, type) => scene.served.publish(`for/${user}`, { as: user, type, targeted: true });
const sayAll = (type) => scene.served.post('all', { type });

for (const transport of ['ws', 'frames', 'poll']) {
  describe(`two users in one browser by ${transport}`, () => {
    // A poll proves anew who it is: there ana's pages are given up as soon as luis is logged in.
    if (transport !== 'poll') test('each page hears its own user; pages of one user share a connection', async () => {
      await login('ana');
      const anas = [await open({ transports: [transport] }), await open({ transports: [transport] })];
      await Promise.all(anas.map((tab) => tab.ready()));
      await login('luis');
      const luis = [await open({ transports: [transport] }), await open({ transports: [transport] })];
      await Promise.all(luis.map((tab) => tab.ready()));
      await scene.stack.untilTotal(2);
      for (const tab of anas) assert.equal(await tab.get('user'), 'ana');
      for (const tab of luis) assert.equal(await tab.get('user'), 'luis');
      await tell('ana', 'for ana');
      await tell('luis', 'for luis');
      await sayAll('end');
      await Promise.all([...anas, ...luis].map((tab) => tab.untilHeard('end')));
      for (const tab of anas) assert.deepEqual(await tab.heard(), ['for ana for/ana', 'end all']);
      for (const tab of luis) assert.deepEqual(await tab.heard(), ['for luis for/luis', 'end all']);
    });

    test('the user changes under a page: it is given up when it connects anew, and says so', async () => {
      await login('ana');
      const anas = [await open({ transports: [transport] }), await open({ transports: [transport] })];
      await Promise.all(anas.map((tab) => tab.ready()));
      await login('luis');
      if (transport !== 'poll') for (const tab of anas) await tab.evaluate(() => client.abort());
      await Promise.all(anas.map((tab) => tab.untilState('closed')));
      for (const tab of anas) assert.deepEqual(await tab.evaluate(() => errors.filter((one) => one.startsWith('identity'))), ['identity: The user is luis, not ana']);
      const luis = await open({ transports: [transport] });
      await luis.ready();
      await tell('luis', 'for luis');
      await luis.untilHeard('for luis');
      for (const tab of anas) assert.deepEqual(await tab.heard(), []);
      await scene.stack.untilTotal(1);
    });
  });
}

test('a page that is for a user is given up at once when another one is logged in', async () => {
  await login('luis');
  const tab = await open({ user: 'ana' });
  await tab.untilState('closed');
  assert.deepEqual(await tab.evaluate(() => errors), ['identity: The user is luis, not ana']);
  const right = await open({ user: 'luis' });
  assert.equal(await right.ready(), true);
});

test('a page that asks for an inbox later leaves the tabs that have no user', async () => {
  await login('ana');
  const first = await open({ topics: ['all'] });
  await first.ready();
  const second = await open({ topics: ['all'] });
  await second.ready();
  await scene.stack.untilTotal(1);
  await second.evaluate((inbox) => client.subscribe(inbox).ready, INBOX);
  assert.equal(await second.get('user'), 'ana');
  await tell('ana', 'for ana');
  await sayAll('end');
  await Promise.all([first, second].map((tab) => tab.untilHeard('end')));
  assert.deepEqual(await first.heard(), ['end all']);
  assert.deepEqual(await second.heard(), ['for ana for/ana', 'end all']);
});

test('the address of a bind key that answers nobody ends the client: log in', async () => {
  await login('');
  const tab = await scene.open({ topics: [INBOX], bindKey: '/bind-key' });
  await tab.untilState('closed');
  assert.match((await tab.evaluate(() => errors)).join(), /^login: No proof from .*: HTTP 403$/);
  await login('ana');
  const right = await scene.open({ topics: [INBOX], bindKey: '/bind-key' });
  assert.equal(await right.ready(), true);
  const wrong = await scene.open({ topics: [INBOX], bindKey: '/blank' });
  await wrong.untilState('closed');
  assert.match((await wrong.evaluate(() => errors)).join(), /^login: No proof from .*: HTTP 200$/);
});
