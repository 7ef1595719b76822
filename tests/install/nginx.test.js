'use strict';

// docs/install.md with nginx, word for word, on a bare Debian; through a reboot; and what its services promise then.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const story = require('./lib/story');
const { blocks, section } = require('./lib/document');
const { until, within } = require('../system/lib/wait');

const { SERVICES } = story;
const PHP = '/usr/local/share/es-web-notify/clients/php/autoload.php';
const SITE = SERVICES.map((service) => `${service}@shop`);

/** Puts the document's two pieces of nginx's configuration where it says. */
function configureNginx(machine) {
  const [copy, start] = section('Behind an nginx that you have').filter(({ language }) => language === 'sh');
  const [site, limits] = section('Behind an nginx that you have').filter(({ language }) => language === 'nginx');
  const [files, events] = limits.text.trim().split('\n');
  machine.follow(copy.text);
  machine.edit('etc/nginx/sites-available/default', 'server_name _;', `server_name _;
    ${site.text}
    location ~ \\.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/php-fpm.sock; }`);
  machine.edit('etc/nginx/nginx.conf', /events \{[^}]*\}/, `${files}\n${events}`);
  machine.follow(start.text);
}

/** Posts one event after the other while `what` runs; the HTTP statuses, each once. */
function statusesDuring(machine, url, body, what) {
  const token = '-H "Authorization: Bearer $(cat /etc/es-web-notify/publish.token)"';
  const post = `curl -sN -o /dev/null -w '%{http_code}\\n' --max-time 20 ${token} ${url} -d '${body}'`;
  return machine.run(`
    touch /tmp/go /tmp/statuses; (while [ -e /tmp/go ]; do ${post}; done) >/tmp/statuses &
    until [ "$(wc -l </tmp/statuses)" -ge 5 ]; do sleep 0.05; done
    ${what}
    seen=$(wc -l </tmp/statuses); until [ "$(wc -l </tmp/statuses)" -gt $((seen + 5)) ]; do sleep 0.05; done
    rm /tmp/go; wait; sort -u /tmp/statuses`).split('\n');
}

test('an installation behind nginx', async (t) => {
  let machine;
  t.before(async () => {
    machine = await story.installed(['apache2']);
  });
  t.after(() => machine?.stop());

  await t.test('has all services active after the last command', () => {
    story.assertActive(machine, SERVICES);
  });

  await t.test('brings the first event to curl', async () => {
    configureNginx(machine);
    await story.assertFirstEvent(machine);
  });

  await t.test('serves the page\'s file, and PHP emits with the token', async () => {
    await story.assertPagesAndPhp(machine);
  });

  await t.test('takes bound posts once there are keys and tables', () => {
    story.assertBoundTopics(machine, 'sudo systemctl reload esn-event && sleep 1');
  });

  await t.test('takes bound posts on MariaDB and knows subscribers by their PHP session in Redis', async () => {
    const settings = machine.read('etc/es-web-notify.conf');
    const [page, publicKey] = story.useDatabases(machine, settings);
    assert.match(machine.run('esnctl topic create-tables && esnctl check-config'), /esn-event\n.*good for the user esn-subscribe$/);
    machine.run('esnctl topic --owner ana add parcels/7');
    machine.run(page("$_SESSION['uid'] = 'ana';"));
    const code = `require '${PHP}'; echo EsWebNotify\\BindKey\\BindKeyMaker::fromPublicKey('${publicKey}')->forSubscribing('of-a-page');`;
    const asked = { bind_key: machine.run(`php -r "${code}"`), ep: [{ topic: 'parcels/7', binded: true }] };
    const stream = machine.beside(`curl -sN http://localhost/notify/ -d '${JSON.stringify(asked)}'`, 'keeper');
    await until('the stream is held', () => stream.output().includes('"connected"'));
    const event = { ep: asked.ep, e: { type: 'sent' }, bind_key: machine.run('esnctl bindkey ana') };
    const answer = machine.run(`curl -sS http://localhost/notify/event -d '${JSON.stringify(event)}' \\
      -H "Authorization: Bearer $(cat /etc/es-web-notify/publish.token)"`);
    assert.equal(JSON.parse(answer).receivers, 1, answer);
    await until('the event is heard', () => stream.output().includes('"sent"'));
    machine.run(page('session_destroy();'));
    await within('the end of the stream after the logout', stream.ended);
    story.assertActive(machine, SERVICES);
    story.assertNothingDenied(machine);
    machine.write('etc/es-web-notify.conf', settings);
    machine.run(`systemctl restart ${SERVICES.join(' ')} && systemctl stop mariadb redis-server`);
  });

  await t.test('lets each user do what docs/operate.md says, and nothing else', () => {
    story.assertRightsOfUsers(machine);
  });

  await t.test('says in check-config what a service\'s user cannot read, though root can', () => {
    const handlers = '/usr/local/libexec';
    for (const [secret, user, program] of [['publish.token', 'esn-event', 'esnctl check-config'],
      ['ticket.secret', 'esn-subscribe', 'esnctl check-config'], ['admin.token', 'esn-fanout', 'esn-fanout --check-config'],
      ['publish.token', 'esn-event', `${handlers}/esn-event --check-config`],
      ['ticket.secret', 'esn-subscribe', `${handlers}/esn-subscribe --check-config`]]) {
      machine.run(`chmod 600 /etc/es-web-notify/${secret}`);
      const { status, output } = machine.try(program);
      assert.notEqual(status, 0, program);
      assert.match(output, new RegExp(`${secret}: Permission denied`));
      machine.run(`chmod 640 /etc/es-web-notify/${secret}`);
      assert.match(machine.run(program), new RegExp(`good for the user ${user}`));
    }
  });

  await t.test('says in check-config why bound posts would be refused', () => {
    const file = '/var/lib/es-web-notify/topics.db';
    const spoilt = [
      [`mv ${file} ${file}.away`, /topics.db: is not there; make it with: esnctl topic create-tables/, `mv ${file}.away ${file}`],
      [`chown root:root ${file} && chmod 600 ${file}`, /user esn-event cannot read and write it/,
        `chown esn-event:esn-topics ${file} && chmod 660 ${file}`],
      ['chown root:root /var/lib/es-web-notify && chmod 755 /var/lib/es-web-notify', /cannot write to this folder/,
        'systemd-tmpfiles --create es-web-notify.conf'],
      [`mkdir /var/tmp/away && mv ${file}* /var/tmp/away && install -m 660 -o esn-event -g esn-topics /dev/null ${file}`,
        /no such table.*make the tables with: esnctl topic create-tables/s, `rm -f ${file}* && mv /var/tmp/away/* ${path.dirname(file)}`],
    ];
    for (const [spoil, reason, mend] of spoilt) {
      machine.run(spoil);
      for (const program of ['esnctl check-config', '/usr/local/libexec/esn-event --check-config']) {
        const { status, output } = machine.try(program);
        assert.notEqual(status, 0, spoil);
        assert.match(output, reason);
      }
      machine.run(mend);
    }
    assert.match(machine.run('esnctl check-config'), /good for the user esn-fanout\n.*good for the user esn-event\n.*good for the user esn-subscribe$/);
  });

  await t.test('is sound to esnctl doctor, which says which unit does not run, or will not after the next start', () => {
    const look = () => JSON.parse(machine.try('esnctl doctor --json --wait 60 --late 0 --patience 0 http://localhost/notify/ 2>/dev/null').output).findings;
    assert.deepEqual(look(), []);
    for (const [spoil, unit, state, mend] of [
      ['systemctl stop esn-subscribe.socket esn-subscribe', 'esn-subscribe.socket', 'inactive and enabled', 'systemctl start esn-subscribe.socket esn-subscribe'],
      ['systemctl --quiet disable esn-fanout', 'esn-fanout.service', 'active and disabled', 'systemctl --quiet enable esn-fanout'],
    ]) {
      machine.run(spoil);
      const [finding] = look().filter(({ name }) => name === 'units');
      assert.deepEqual([finding?.seen, finding?.line], [`${unit} is ${state}`, `systemctl enable --now ${unit}`]);
      machine.run(mend);
    }
    assert.deepEqual(look(), []);
  });

  await t.test('is restarted and reloaded without waiting for streams', async () => {
    const [lines] = section('When the web server is restarted');
    await story.assertRestartsLetGo(machine, 'nginx', lines.text, '/run/nginx.pid');
  });

  await t.test('comes back from a reboot by itself, with the log of before', async () => {
    const id = await story.lastId(machine);
    machine.run('esnctl emit kept/two missed 2');
    story.assertNothingDenied(machine);
    await machine.reboot();
    story.assertActive(machine, SERVICES);
    await story.assertFirstEvent(machine);
    await story.assertGoesOn(machine, id, '"missed"');
  });

  await t.test('refuses no post while esn-event is restarted', () => {
    const body = '{"ep": ["a/b"], "e": {"type": "t"}}';
    const restart = 'for i in 1 2 3; do systemctl restart esn-event; done';
    assert.deepEqual(statusesDuring(machine, 'http://localhost/notify/event', body, restart), ['200']);
  });

  // Each command of a unit makes the socket that is its standard input a blocking one, for all who have it.
  const renew = 'for i in 1 2 3; do systemctl restart esn-event; systemctl reload nginx; systemctl reload esn-event; sleep 1; done';

  await t.test('nor when it is reloaded, and nginx, and restarted', () => {
    const body = '{"ep":["renewed"],"e":{"type":"n"}}';
    assert.deepEqual(statusesDuring(machine, 'http://localhost/notify/event', body, renew), ['200']);
  });

  await t.test('nor when nginx keeps its connections to it', () => {
    const [, , keep] = section('Behind an nginx that you have').filter(({ language }) => language === 'sh');
    machine.follow(keep.text);
    machine.edit('etc/nginx/sites-available/default', 'snippets/es-web-notify.conf', 'snippets/es-web-notify-keep.conf');
    machine.run('nginx -t && systemctl reload nginx');
    const body = '{"ep":["kept"],"e":{"type":"n"}}';
    assert.deepEqual(statusesDuring(machine, 'http://localhost/notify/event', body, renew), ['200']);
    machine.edit('etc/nginx/sites-available/default', 'snippets/es-web-notify-keep.conf', 'snippets/es-web-notify.conf');
    machine.run('nginx -t && systemctl reload nginx');
  });

  await t.test('takes a new program over without a stream ending', async () => {
    const main = () => machine.run('systemctl show -P MainPID esn-fanout');
    const stream = machine.beside('curl -sN http://localhost/notify/ -d \'{"ep": ["kept/#"]}\'', 'keeper');
    await until('the stream is held', () => stream.output().includes('"connected"'));
    for (const upgrade of ['esnctl upgrade', 'systemctl kill --signal=SIGUSR2 --kill-whom=main esn-fanout']) {
      const before = main();
      machine.run(upgrade);
      await until('the unit has another main process', () => main() !== before && machine.try(`kill -0 ${before}`).status !== 0);
      story.assertActive(machine, ['esn-fanout']);
      const event = `after-${before}`;
      machine.run(`esnctl emit kept/upgraded ${event}`);
      await until(`${event} is heard`, () => stream.output().includes(event));
    }
    story.assertNothingDenied(machine);
  });

  for (const setting of ['no', 'yes']) {
    await t.test(`serves with io_uring = ${setting}`, async () => {
      machine.edit('etc/es-web-notify.conf', /\n*(\[fanout\]\nio_uring = \w+\n)?$/, `\n[fanout]\nio_uring = ${setting}\n`);
      machine.run('systemctl restart esn-fanout');
      await story.assertFirstEvent(machine);
      assert.doesNotMatch(machine.run('journalctl -b -u esn-fanout --no-pager'), /no io_uring/);
    });
  }

  await t.test('serves HTTPS itself, and takes a new certificate without a stream noticing', async () => {
    const [settings, commands] = blocks('docs/install.md').filter((block) => block.section === 'HTTPS without a proxy');
    const home = '/home/keeper/es-web-notify';
    const certify = (name) => machine.run(`cd ${home} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
      -subj /CN=${name} -addext subjectAltName=DNS:your.site -keyout privkey.pem -out fullchain.pem && chown keeper: *.pem`);
    const served = () => machine.run('openssl s_client -connect your.site:8443 </dev/null 2>/dev/null | openssl x509 -noout -subject');
    const before = machine.read('etc/es-web-notify.conf');
    machine.run('echo 127.0.0.1 your.site >>/etc/hosts');
    certify('first');
    machine.write('etc/es-web-notify.conf', `${before}\n${settings.text}`);
    try {
      machine.follow(commands.text);
      const stream = machine.beside(`curl -sNL --cacert ${home}/fullchain.pem http://your.site/notify/ -d '{"ep": ["secure"]}'`, 'keeper');
      await until('the stream is held', () => stream.output().includes('"connected"'));
      assert.match(served(), /CN ?= ?first/);
      const [, copy, copyKey] = /^(.*tls\.crt)\n(.*tls\.key)$/m.exec(commands.text);
      certify('second');
      machine.follow(`${copy}\nsudo systemctl reload esn-fanout`);
      await until('the log says that they do not fit', () => /tls\.key/.test(machine.run('journalctl -b -u esn-fanout -n 5 --no-pager')));
      assert.match(served(), /CN ?= ?first/);
      machine.follow(`${copyKey}\nsudo systemctl reload esn-fanout`);
      await until('the new one is served', () => /CN ?= ?second/.test(served()));
      machine.run('esnctl emit secure heard-throughout');
      await until('the stream hears', () => stream.output().includes('heard-throughout'));
    } finally {
      machine.write('etc/es-web-notify.conf', before);
      machine.run('systemctl restart esn-fanout esn-subscribe');
    }
    story.assertNothingDenied(machine);
  });

  await t.test('serves a second site, which hears nothing of the first, nor sees any of its files', async () => {
    const [add] = section('Several sites', 'docs/operate.md').filter(({ language }) => language === 'sh');
    const [site] = section('Several sites', 'docs/operate.md').filter(({ language }) => language === 'nginx');
    machine.follow(add.text);
    machine.run(`systemctl restart ${SERVICES.join(' ')}`);
    story.assertActive(machine, [...SITE, ...SERVICES]);
    machine.write('etc/nginx/sites-enabled/shop', `server { listen 80; listen [::]:80; server_name shop.example; ${site.text} }\n`);
    machine.run('nginx -t && systemctl restart nginx');
    const heard = {};
    const streams = Object.entries({ localhost: 'main', 'shop.example': 'shop' }).map(([host, name]) => {
      const stream = machine.beside(`curl -sN -H 'Host: ${host}' http://localhost/notify/ -d '{"ep": ["both/#"]}'`, 'keeper');
      heard[name] = () => stream.output();
      return until(`${name} is connected`, () => stream.output().includes('"connected"'));
    });
    await Promise.all(streams);
    const post = (host, tokens, detail) => machine.run(`curl -s -o /dev/null -w '%{http_code}' -H 'Host: ${host}' \\
      -H "Authorization: Bearer $(cat /etc/es-web-notify/${tokens}publish.token)" http://localhost/notify/event \\
      -d '{"ep": ["both/x"], "e": {"type": "t", "detail": "${detail}"}}'`);
    assert.equal(post('localhost', '', 'of-main'), '200');
    assert.equal(post('shop.example', 'shop/', 'of-shop'), '200');
    assert.equal(post('shop.example', '', 'forged'), '404');
    assert.equal(post('localhost', 'shop/', 'forged'), '404');
    await until('each hears its own', () => heard.main().includes('of-main') && heard.shop().includes('of-shop'));
    assert.doesNotMatch(heard.main() + heard.shop(), /forged/);
    assert.doesNotMatch(heard.main(), /of-shop/);
    assert.doesNotMatch(heard.shop(), /of-main/);
    const folders = ['/etc/es-web-notify', '/run/es-web-notify', '/var/lib/es-web-notify'];
    const seen = (service, what) => machine.run(`nsenter -t $(systemctl show -P MainPID ${service}) -m -- ${what}`);
    for (const service of SITE) {
      assert.equal(seen(service, `ls ${folders.map((each) => `${each}/`).join(' ')}`),
        folders.map((each) => `${each}/:\nshop`).sort().join('\n\n'), service);
    }
    for (const service of SERVICES) {
      assert.equal(seen(service, `find ${folders.map((each) => `${each}/shop`).join(' ')} -mindepth 1`), '', service);
    }
    assert.match(machine.run('ESN_CONF=/etc/es-web-notify/shop/es-web-notify.conf esnctl check-config'), /good for the user esn-fanout/);
    story.assertNothingDenied(machine);
  });

  await t.test('adds no site whose name is taken', () => {
    const made = () => machine.run('find /etc/es-web-notify /run/es-web-notify /var/lib/es-web-notify /etc/tmpfiles.d /etc/systemd -path "*/log/*" -prune -o -print');
    machine.run('mkdir /run/es-web-notify/running /var/lib/es-web-notify/kept');
    const before = made();
    for (const [name, reason] of [
      ['log', /first site has a folder or a socket of this name: log/], ['events', /of this name: events/], ['acks', /of this name: acks/],
      ['shop', /etc.es-web-notify.shop is there already/], ['running', /run.es-web-notify.running is there already/],
      ['kept', /var.lib.es-web-notify.kept is there already/], ['Shop', /not small letters, digits and _, the first of them a letter: Shop/],
    ]) {
      const { status, output } = machine.try(`/usr/local/share/es-web-notify/add-site.sh ${name} 8030`);
      assert.equal(status, 2, name);
      assert.match(output, reason);
    }
    assert.equal(made(), before);
    machine.run('rmdir /run/es-web-notify/running /var/lib/es-web-notify/kept');
  });

  await t.test('gives its services no more than they need', () => {
    for (const service of [...SERVICES, ...SITE, 'esn-outbox']) {
      const [, exposure] = /Overall exposure level .*: ([\d.]+)/.exec(machine.run(`systemd-analyze security --no-pager ${service}`));
      assert.ok(Number(exposure) < 1.6, `${service}: ${exposure}`);
      const [core, memory] = machine.run(`systemctl show -P LimitCORE ${service}; systemctl show -P MemoryMax ${service}`).split('\n');
      assert.equal(core, '0');
      assert.ok(Number(memory) > 0, memory);
    }
  });

  await t.test('says that a start failed, and goes on trying for as long as it takes', async () => {
    const restarts = () => Number(machine.run('systemctl show -P NRestarts esn-event'));
    story.assertNothingDenied(machine);
    machine.run('chmod 600 /etc/es-web-notify/publish.token && systemctl stop esn-event');
    assert.notEqual(machine.try('systemctl start esn-event').status, 0);
    // Past what systemd allows by default: five starts in ten seconds.
    await until('it was started six times', () => restarts() >= 6);
    machine.run('chmod 640 /etc/es-web-notify/publish.token');
    await until('it is active again', () => machine.try('systemctl is-active esn-event').status === 0);
    await story.assertFirstEvent(machine);
  });
});
