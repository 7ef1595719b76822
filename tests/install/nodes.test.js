'use strict';

// Two daemons on a Redis as docs/nodes.md says, from the Debian package and under systemd, both on one machine: the further site's
// daemon is the second one.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { section } = require('./lib/document');
const { Machine } = require('./lib/machine');
const story = require('./lib/story');
const { FrameReader } = require('../system/lib/frames');
const { until } = require('../system/lib/wait');

const README = 'deploy/debian/es-web-notify.README.Debian';
const DAEMONS = ['esn-fanout', 'esn-fanout@shop'];
const SERVICES = [...story.SERVICES, DAEMONS[1]];
const SETTINGS = ['etc/es-web-notify.conf', 'etc/es-web-notify/shop/es-web-notify.conf'];

/** The document's blocks with all addresses on this machine, and as the package has the files. */
function nodesBlocks(language) {
  return section('Install it on several hosts', 'docs/nodes.md')
    .filter((block) => block.language === language)
    .map(({ text }) => text.replaceAll('10.0.0.7', '127.0.0.1').replaceAll('/usr/local/share', '/usr/share'));
}

/** The settings of the document's block, as those of the daemon `number`. */
function nodeSettings(number) {
  const [text] = nodesBlocks('ini');
  const own = { 1: ['127.0.0.1:8010', 'node/1/', ''], 2: ['127.0.0.1:8020', 'node/2/', 'shop/'] }[number];
  return text.replace('10.0.0.1:8010', own[0]).replace('node/1/', own[1]).replace('10.0.0.9', '127.0.0.1')
    .replace('es-web-notify/redis.password', `es-web-notify/${own[2]}redis.password`);
}

const untilBothLive = (machine) =>
  until('both daemons live and say their way', () => {
    const nodes = JSON.parse(machine.run('esnctl nodes --json'));
    return nodes.filter(({ living }) => living).map(({ url }) => url).sort().join() === 'node/1/,node/2/';
  });

/** The first frame of this type that curl has printed, when it is there; before all frames may be why it was to ask again. */
function frameOf(stream, type) {
  const frames = [];
  const [, text = ''] = /('.*)/s.exec(stream.output()) ?? [];
  new FrameReader((frame) => frames.push(frame)).write(Buffer.from(text));
  return frames.filter(Boolean).map((frame) => JSON.parse(frame)).find(({ e }) => e.type === type);
}

const hears = (stream, type) => until(`"${type}" is heard`, () => frameOf(stream, type));

/** A stream at the daemon with this way; as any client does, it asks again when it is told to. */
async function held(machine, way, more = {}) {
  const body = JSON.stringify({ ep: ['kept/#'], ...more });
  const stream = machine.beside(`curl -sN --retry 60 http://localhost/notify/${way} -d '${body}'`, 'keeper');
  await hears(stream, 'connected');
  return stream;
}

test('several daemons on a Redis, as docs/nodes.md says', async (t) => {
  let machine;
  t.before(async () => {
    machine = await Machine.boot(['apache2']);
    machine.bringPackages();
    machine.follow('sudo apt-get install -y ./es-web-notify_*.deb', '/home/keeper');
    section('', README).forEach(({ text }) => machine.follow(text, '/'));
    machine.run('/usr/share/es-web-notify/add-site.sh shop 8020 && systemctl daemon-reload');
  });
  t.after(() => machine?.stop());

  await t.test('serve when Redis, both daemons and nginx are as the document says', async () => {
    const [redis] = nodesBlocks('');
    const file = machine.read('etc/redis/redis.conf').replace(/^(bind|appendonly|appendfsync) .*/gm, '# $&');
    machine.write('etc/redis/redis.conf', `${file}\n${redis}`);
    machine.run('systemctl enable --now redis-server');
    SETTINGS.forEach((name, index) => {
      const before = machine.read(name).replace(/^listen = .*\n/m, '').replace(/^path = .*log\/events\n/m, '');
      machine.write(name, `${before}\n${nodeSettings(index + 1)}`);
    });
    machine.run('cp -p /etc/es-web-notify/ticket.secret /etc/es-web-notify/shop/ticket.secret');
    const [start, copy, restart] = nodesBlocks('sh');
    machine.follow(start, '/');
    // A site's services see nothing of the first one's folder.
    machine.run(`cp -p /etc/es-web-notify/redis.password /etc/es-web-notify/shop/ && systemctl enable --now ${DAEMONS[1]}`);
    machine.follow(copy, '/');
    machine.edit('etc/nginx/conf.d/es-web-notify-nodes-upstream.conf', /^.*10\.0\.0\.3.*\n/gm, '');
    machine.edit('etc/nginx/conf.d/es-web-notify-nodes-upstream.conf', /10\.0\.0\.1:8010/g, '127.0.0.1:8010');
    machine.edit('etc/nginx/conf.d/es-web-notify-nodes-upstream.conf', /10\.0\.0\.2:8010/g, '127.0.0.1:8020');
    machine.edit('etc/nginx/sites-available/default', 'server_name _;', 'server_name _;\ninclude snippets/es-web-notify-nodes.conf;');
    machine.follow(restart, '/');
    story.assertActive(machine, SERVICES);
    await untilBothLive(machine);
    await story.assertFirstEvent(machine, README);
  });

  await t.test('let each service read the password of Redis, and nobody else', () => {
    const file = '/etc/es-web-notify/redis.password';
    const readers = ['esn-fanout', 'esn-event', 'esn-subscribe', 'esn-outbox', 'www-data', 'nobody'].filter(
      (user) => machine.try(`test -r ${file}`, user).status === 0,
    );
    assert.deepEqual(readers, ['esn-fanout', 'esn-event', 'esn-subscribe', 'esn-outbox']);
  });

  await t.test('go on when one is killed: nothing is lost, and systemd brings it back among them', async () => {
    const [one, two] = [await held(machine, 'node/1/'), await held(machine, 'node/2/')];
    machine.run('esnctl emit kept/a first 1');
    const [{ id }] = await Promise.all([hears(one, 'first'), hears(two, 'first')]);
    const { connid, secret } = frameOf(one, 'connected').e.detail;
    machine.run(`systemctl kill --signal=KILL ${DAEMONS[0]}`);
    await one.ended;
    machine.run('esnctl emit kept/a second 2');
    const again = await held(machine, '', { connid, secret, last_id: id });
    await Promise.all([hears(again, 'second'), hears(two, 'second')]);
    assert.equal(frameOf(again, 'first'), undefined);
    assert.equal(frameOf(again, 'connected').e.detail.recovered, true);
    await untilBothLive(machine);
    await story.assertFirstEvent(machine, README);
  });

  await t.test('come back from a reboot by themselves, with what was posted before', async () => {
    const stream = await held(machine, '');
    machine.run('esnctl emit kept/a before 1');
    const { id } = await hears(stream, 'before');
    machine.run('esnctl emit kept/a missed 2');
    await machine.reboot();
    story.assertActive(machine, SERVICES);
    await untilBothLive(machine);
    await story.assertFirstEvent(machine, README);
    const again = await held(machine, '', { last_id: id });
    await hears(again, 'missed');
    // Daemons start after Redis, and take their leave before it ends.
    assert.equal(machine.run('journalctl --no-pager -u "esn-fanout*" | grep -c "does not answer" || true'), '0');
    story.assertNothingDenied(machine);
  });
});
