'use strict';

// The installation of docs/install.md, section by section, and what it promises.

const assert = require('node:assert/strict');
const { section } = require('./document');
const { Machine } = require('./machine');
const { until } = require('../../system/lib/wait');

const SERVICES = ['esn-fanout', 'esn-event', 'esn-subscribe'];

/** The text of a section's one block in this language. */
function block(name, language) {
  const [found, ...more] = section(name).filter((each) => each.language === language);
  assert.ok(found && more.length === 0, `"${name}" has one block in ${language}`);
  return found.text;
}

/** Follows all shell blocks of a section. */
function follow(machine, name) {
  return section(name).filter(({ language }) => language === 'sh').map(({ text }) => machine.follow(text)).join('\n');
}

/** A machine with the programs, settings and units of the document. */
async function installed(disabled) {
  const machine = await Machine.boot(disabled);
  machine.bringSources();
  for (const name of ['Programs', 'User, tokens, settings', 'Services']) {
    follow(machine, name);
  }
  return machine;
}

/** Each service is active and was never started a second time. */
function assertActive(machine, services) {
  for (const service of services) {
    const state = machine.run(`systemctl show -P ActiveState ${service}; systemctl show -P NRestarts ${service}`);
    assert.equal(state, 'active\n0', `${service}: state and number of restarts`);
  }
}

/** Nothing that the services did was denied by their units' confinement. */
function assertNothingDenied(machine) {
  const journal = machine.run('journalctl --boot --no-pager --output=short-monotonic');
  const denied = journal.split('\n').filter((line) => /esn-|es-web-notify/.test(line) &&
    /SIGSYS|status=31|signal=31|not permitted|Permission denied|Read-only file system|Unknown key/i.test(line));
  assert.deepEqual(denied, []);
}

/** Listens as the document says, until `what()` has made the text come. */
async function hears(machine, text, what) {
  const [, listening] = section('The first event').filter(({ language }) => language === 'sh');
  const stream = machine.beside(listening.text, 'keeper');
  await until('the stream is connected', () => stream.output().includes('"connected"'));
  const said = await what();
  await until(`"${text}" is heard, after: ${said}`, () => stream.output().includes(text));
}

/** Health, and a first event from curl to curl. */
async function assertFirstEvent(machine) {
  const [health, , post] = section('The first event').filter(({ language }) => language === 'sh');
  assert.match(machine.follow(`${health.text.trim()} --fail`), /"status"/);
  await hears(machine, 'It works', () => machine.follow(post.text));
}

/** The page's file, and an event of PHP's. */
async function assertPagesAndPhp(machine) {
  follow(machine, 'Pages and PHP');
  const [, script] = /src="([^"]*)"/.exec(block('Pages and PHP', 'html'));
  assert.match(machine.follow(`curl --fail http://localhost${script}`), /EsWebNotify/);
  machine.write('var/www/html/try.php', block('Pages and PHP', 'php'));
  await hears(machine, 'PHP works', () => machine.follow('curl --fail http://localhost/try.php'));
}

/** A bound post of Ana's; `reload` is how the handlers read their settings again. */
function assertBoundTopics(machine, reload) {
  const [make, attempt] = section('Bound topics').filter(({ language }) => language === 'sh');
  assert.match(machine.follow(make.text), /es-web-notify\.conf: good/);
  machine.follow(reload);
  const answer = JSON.parse(machine.follow(attempt.text.replaceAll('curl ', 'curl -sS ')).split('\n').at(-1));
  assert.equal(answer.receivers, 0);
}

/** The last id of a stream that heard an event, for one that comes back. */
async function lastId(machine) {
  const stream = machine.beside('curl -sN http://localhost/notify/ -d \'{"ep": ["kept/#"]}\'', 'keeper');
  await until('the stream is connected', () => stream.output().includes('"connected"'));
  machine.run('esnctl emit kept/one first 1');
  const [, id] = await until('it hears', () => /"type":"first".*?"id":"([^"]*)"|"id":"([^"]*)".*"type":"first"/s.exec(stream.output())?.filter(Boolean));
  return id;
}

/** What was posted after `id` comes to whoever comes back with it. */
async function assertGoesOn(machine, id, text) {
  const body = JSON.stringify({ ep: ['kept/#'], last_id: id });
  const stream = machine.beside(`curl -sN http://localhost/notify/ -d '${body}'`, 'keeper');
  await until(`"${text}" comes again`, () => stream.output().includes(text));
}

module.exports = {
  SERVICES, assertActive, assertBoundTopics, assertFirstEvent, assertGoesOn, assertNothingDenied, assertPagesAndPhp, block,
  follow, installed, lastId,
};
