'use strict';

// The installation of docs/install.md, section by section, and what it promises.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { section } = require('./document');
const { Machine } = require('./machine');
const { until, within } = require('../../system/lib/wait');

const DOCUMENTS = path.join(__dirname, '..', '..', '..', 'docs');
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
  try {
    machine.bringSources();
    for (const name of ['Programs', 'Users, tokens, settings', 'Services']) {
      follow(machine, name);
    }
  } catch (error) {
    await machine.stop(); // one that is left running would keep the test from ending
    throw error;
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

/** Commands of the section about the first event: {ready, listening, post}; README.Debian does not ask whether it is ready. */
function firstEvent(file) {
  const [post, listening, ready] = section('The first event', file).filter(({ language }) => language === 'sh').reverse();
  return { ready, listening, post };
}

/** Listens as the document says, until `what()` has made the text come. */
async function hears(machine, text, what, file) {
  const { listening } = firstEvent(file);
  const stream = machine.beside(listening.text, 'keeper');
  await until('the stream is connected', () => stream.output().includes('"connected"'));
  const said = await what();
  await until(`"${text}" is heard, after: ${said}`, () => stream.output().includes(text));
}

/** It is ready, and a first event goes from curl to curl. */
async function assertFirstEvent(machine, file) {
  const { ready, post } = firstEvent(file);
  if (ready) {
    assert.match(machine.follow(`${ready.text.trim()} --fail`), /\{"status":"ready"\}/);
  }
  await hears(machine, 'It works', () => machine.follow(post.text, '/'), file);
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

/**
 * Has the services use the machine's own MariaDB and Redis, both by their Unix sockets. [what makes a command of a page's PHP with
 * its session open, the public key of bind keys that name sessions]
 */
function useDatabases(machine, settings) {
  machine.run(`set -e
    printf 'unixsocket /run/redis/redis-server.sock\\nunixsocketperm 770\\nnotify-keyspace-events K$gxe\\n' >>/etc/redis/redis.conf
    systemctl start mariadb redis-server
    mariadb -e "CREATE DATABASE notify; CREATE USER notify@localhost IDENTIFIED BY 'geheim'; GRANT ALL ON notify.* TO notify@localhost"
    mkdir /var/tmp/pair && esnctl keygen --dir /var/tmp/pair bind && cd /etc/es-web-notify
    install -m 640 -g esn-subscribe /var/tmp/pair/bind.key subscribe.key
    echo geheim >acl.password && chmod 640 acl.password && chgrp esn-topics acl.password`);
  section('Users, tokens, settings')[0].text.match(/^# sudo adduser .* redis\b/gm).forEach((line) => machine.follow(line.slice(2)));
  machine.write('etc/es-web-notify.conf', `${settings}
[acl]
kind = mariadb
user = notify
password_file = /etc/es-web-notify/acl.password
database = notify
[binding]
mode = redis
private_key_file = /etc/es-web-notify/subscribe.key
[redis]
url = unix:/run/redis/redis-server.sock
`);
  machine.run(`systemctl restart ${SERVICES.join(' ')}`);
  const page = (code) => `php -d session.save_handler=redis -d session.save_path=unix:///run/redis/redis-server.sock -d session.use_cookies=0 \\
    -d session.use_strict_mode=0 -d session.cache_limiter= -r "session_id('of-a-page'); session_start(); ${code.replaceAll('$', '\\$')}"`;
  return [page, '/var/tmp/pair/bind.pub'];
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

/** docs/operate.md: {header: users, rows: [[path, what each may do]]} of the table of who may do what. */
function rightsTable() {
  const lines = fs.readFileSync(path.join(DOCUMENTS, 'operate.md'), 'utf8').split('\n');
  const cells = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
  const head = lines.findIndex((line) => line.startsWith('| | `esn-fanout`'));
  const rows = lines.slice(head + 2, lines.indexOf('', head)).map(cells);
  assert.ok(head >= 0 && rows.length > 5, 'docs/operate.md has its table');
  const users = cells(lines[head]).slice(1).map((user) => user.replaceAll('`', ''));
  return rows.flatMap(([what, ...may]) => may.map((words, i) => [/`([^`]*)`/.exec(what)[1], users[i], words]));
}

/** What a user may do with a file or socket, as the kernel says; a socket is opened. */
const TRY = `
  if [ -S "$1" ]; then
      perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); exit(connect($s, sockaddr_un($ARGV[0])) ? 0 : 1)' "$1" && echo opens
      exit
  fi
  may=; [ ! -r "$1" ] || may=reads; [ ! -w "$1" ] || may="\${may:+$may, }writes"; echo "$may"`;

/** Everybody may do what the table of docs/operate.md says, and nothing else. */
function assertRightsOfUsers(machine) {
  machine.run(`esnctl keygen --dir /etc/es-web-notify token
    install -m 640 -g esn-redis /dev/null /etc/es-web-notify/redis.password`);
  const wrong = rightsTable().filter(([file, user, words]) => {
    machine.run(`test -e ${file}`);
    return machine.try(`set -- ${file}${TRY}`, user).output !== words;
  });
  assert.deepEqual(wrong, []);
}

/** Asks for the site's own page again and again while `command` runs; the longest time without one, ms. */
function longestAway(machine, command) {
  return Number(machine.run(`
    ask() {
        local last most=0 now times=0
        last=$(date +%s%3N)
        while [ -e /tmp/go ]; do
            if curl -so /dev/null --max-time 2 http://localhost/; then
                now=$(date +%s%3N) times=$((times + 1))
                ((now - last <= most)) || most=$((now - last))
                last=$now
                echo "$times $most" >/tmp/away.new && mv /tmp/away.new /tmp/away
            fi
        done
    }
    answered() { local seen; seen=$(cut -d ' ' -f 1 /tmp/away); until (($(cut -d ' ' -f 1 /tmp/away) > seen + 3)); do sleep 0.05; done; }
    echo '0 0' >/tmp/away; touch /tmp/go; ask & answered
    ${command}
    answered; rm /tmp/go; wait; cut -d ' ' -f 2 /tmp/away`).split('\n').at(-1));
}

/** What becomes of five held streams when `command` restarts the web server: {told: how many were told to come back, away}. */
async function restartWithStreams(machine, command) {
  const listening = 'curl -sN http://localhost/notify/ -d \'{"ep": ["kept/#"]}\'';
  const streams = Array.from({ length: 5 }, () => machine.beside(listening, 'keeper'));
  await until('five streams are held', () => streams.every((stream) => stream.output().includes('"connected"')));
  const away = longestAway(machine, command);
  await within('the end of the streams', Promise.all(streams.map((stream) => stream.ended)));
  return { told: streams.filter((stream) => stream.output().includes('"stopping"')).length, away };
}

/**
 * The web server's unit waits for held streams, and does not with the drop-in that `lines` of the document install: then
 * they are told to come back.
 */
async function assertRestartsLetGo(machine, unit, lines, pidFile) {
  const restart = `systemctl restart ${unit}`;
  const processes = `pgrep -P "$(cat ${pidFile})"`;
  const before = await restartWithStreams(machine, restart);
  machine.follow(lines);
  const after = await restartWithStreams(machine, restart);
  console.log(`${unit} is away for ${before.away} ms without the drop-in, for ${after.away} ms with it`);
  assert.equal(before.told, 0);
  assert.equal(after.told, 5);
  assert.ok(after.away < before.away, `away for ${after.away} ms, without the drop-in for ${before.away} ms`);
  const reloaded = await restartWithStreams(machine, `${processes} >/tmp/before; systemctl reload ${unit}`);
  assert.equal(reloaded.told, 5);
  await until('the processes of before the reload are gone', () =>
    machine.run(`${processes} | grep -Fxf /tmp/before | wc -l`) === '0');
}

module.exports = {
  SERVICES, assertActive, assertBoundTopics, assertFirstEvent, assertGoesOn, assertNothingDenied, assertPagesAndPhp,
  assertRestartsLetGo, assertRightsOfUsers, block, follow, installed, lastId, useDatabases,
};
