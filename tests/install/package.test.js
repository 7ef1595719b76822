'use strict';

// The Debian packages: installed behind nginx and Apache as README.Debian says, rebooted, upgraded, and purged.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { section } = require('./lib/document');
const { Machine } = require('./lib/machine');
const story = require('./lib/story');
const { until } = require('../system/lib/wait');

const README = 'deploy/debian/es-web-notify.README.Debian';
const { SERVICES } = story;
const SITE = SERVICES.map((service) => `${service}@shop`);
const ALL = [...SERVICES, ...SITE];
/** Where subscribers of both come in. */
const ADDRESSES = ['localhost/notify/', '127.0.0.1:8020/'];

/** The blocks of README.Debian's section, or those before the first one. */
const blocks = (name, language) =>
  section(name, README).filter((block) => block.language === language).map(({ text }) => text);

/** All files and folders but what a system changes by itself. */
function listing(machine) {
  return machine.run(`find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /run \\
      -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /home \\
      -o -path /root -o -path /etc/passwd- -o -path /etc/group- -o -path /etc/shadow- -o -path /etc/gshadow- \\) -prune -o -print`)
    .split('\n').concat(machine.run('cut -d : -f 1 /etc/passwd; cut -d : -f 1 /etc/group').split('\n'));
}

const processes = (machine) => ALL.map((service) => machine.run(`systemctl show -P MainPID ${service}`));

/** A stream at this address, connected. */
async function held(machine, address) {
  const stream = machine.beside(`curl -sN http://${address} -d '{"ep": ["kept/#"]}'`, 'keeper');
  let ended = false;
  stream.ended.then(() => { ended = true; });
  await until('the stream is held', () => stream.output().includes('"connected"'));
  return { ...stream, hasEnded: () => ended };
}

/** The package once more as another version, whose programs are other files, changed by `change` in its folder. */
function makeNext(machine, version, change = '') {
  machine.run(`set -e; rm -rf /var/tmp/next; dpkg-deb -R /home/keeper/es-web-notify_*.deb /var/tmp/next; cd /var/tmp/next
    sed -i 's/^Version: .*/Version: ${version}/' DEBIAN/control; printf next >>usr/sbin/esn-fanout; ${change}
    dpkg-deb -Znone -b . /var/tmp/next-${version}.deb`);
}

const install = (machine, version) => machine.run(`apt-get install -y /var/tmp/next-${version}.deb`);

/** Installs while numbered events are posted to both sites, from before to after; each is to be taken at once. */
function installDuringPosts(machine, version) {
  const output = machine.run(`
    echo 0 >/tmp/last; touch /tmp/go
    (number=0; while [ -e /tmp/go ]; do
        number=$((number + 1)); detail="{\\"number\\":$number}"
        curl -s --fail -o /dev/null --max-time 20 http://localhost/notify/event \
            -H "Authorization: Bearer $(cat /etc/es-web-notify/publish.token)" \
            -d "{\\"ep\\":[\\"kept/on\\"],\\"e\\":{\\"type\\":\\"t\\",\\"detail\\":$detail}}" || echo "curl: $?, event $number"
        ESN_CONF=/etc/es-web-notify/shop/es-web-notify.conf esnctl emit kept/on t "$detail" >/tmp/emitted || cat /tmp/emitted
        echo $number >/tmp/last.new && mv /tmp/last.new /tmp/last
    done) >/tmp/refused 2>&1 &
    await_more() { seen=$(cat /tmp/last); until [ "$(cat /tmp/last)" -gt $((seen + 3)) ]; do sleep 0.05; done; }
    await_more
    apt-get install -y /var/tmp/next-${version}.deb
    await_more; rm /tmp/go; wait`);
  assert.equal(machine.run('cat /tmp/refused'), '');
  return { output, last: Number(machine.run('cat /tmp/last')) };
}

test('the Debian packages', async (t) => {
  let machine;
  let bare;
  t.before(async () => {
    machine = await Machine.boot(['apache2']);
    bare = listing(machine);
    machine.bringPackages();
    machine.follow('sudo apt-get install -y ./es-web-notify_*.deb ./es-web-notify-doc_*.deb', '/home/keeper');
  });
  t.after(() => machine?.stop());

  await t.test('have all services run once they are installed, with secrets of their own', () => {
    const there = listing(machine);
    ['/usr/sbin/esn-fanout', '/etc/es-web-notify/publish.token', 'esn-web'].forEach((name) => assert.ok(there.includes(name), name));
    story.assertActive(machine, SERVICES);
    assert.match(machine.run('esnctl check-config'), /good for the user esn-fanout\n.*good for the user esn-event\n.*good for the user esn-subscribe$/);
    assert.equal(machine.run('wc -c < /etc/es-web-notify/ticket.secret'), '65');
  });

  await t.test('bring the first event behind nginx, as README.Debian says', async () => {
    blocks('', 'sh').forEach((text) => machine.follow(text, '/'));
    const [site] = blocks('nginx', 'nginx');
    machine.edit('etc/nginx/sites-available/default', 'server_name _;', `server_name _;\n${site}`);
    blocks('nginx', 'sh').forEach((text) => machine.follow(text, '/'));
    await story.assertFirstEvent(machine, README);
  });

  await t.test('pass their own test (autopkgtest)', () => {
    fs.cpSync(path.join(__dirname, '../../deploy/debian/tests'), path.join(machine.root, 'home/keeper/tests'), { recursive: true });
    const [, name] = /^Tests: (\S+)$/m.exec(machine.read('home/keeper/tests/control'));
    machine.run(`/home/keeper/tests/${name}`);
  });

  await t.test('come back from a reboot by themselves', async () => {
    await machine.reboot();
    story.assertActive(machine, SERVICES);
    await story.assertFirstEvent(machine, README);
    story.assertNothingDenied(machine);
  });

  await t.test('hand over to the next version without a stream ending or an event missing, also of a further site', async () => {
    machine.run('printf "[fanout]\\nkeep_alive = 20s\\n" >>/etc/es-web-notify.conf');
    machine.run('/usr/share/es-web-notify/add-site.sh shop 8020 && systemctl daemon-reload');
    machine.run(`systemctl enable --now ${SITE.join(' ')}`);
    const kept = () => machine.run('find /etc/es-web-notify.conf /etc/es-web-notify -type f | sort | xargs sha256sum');
    const [before, old] = [kept(), processes(machine)];
    const streams = await Promise.all(ADDRESSES.map((address) => held(machine, address)));
    makeNext(machine, '0.1.1');
    const { output, last } = installDuringPosts(machine, '0.1.1');
    assert.equal(output.match(/^process \d+ serves; nobody was served for/gm)?.length, 2, output);
    assert.equal(machine.run("dpkg-query -f '${Version}' -W es-web-notify"), '0.1.1');
    assert.equal(kept(), before);
    story.assertActive(machine, ALL);
    processes(machine).forEach((pid, i) => assert.notEqual(pid, old[i], ALL[i]));
    for (const stream of streams) {
      await until('the last event is heard', () => stream.output().includes(`"number":${last}`));
      const numbers = [...stream.output().matchAll(/"number":(\d+)/g)].map(([, number]) => Number(number));
      assert.deepEqual(numbers, Array.from({ length: last }, (each, i) => i + 1));
      assert.equal(stream.output().match(/"connected"/g).length, 1);
      assert.ok(!stream.hasEnded());
    }
    story.assertNothingDenied(machine);
    await story.assertFirstEvent(machine, README);
  });

  await t.test('leave the program of before serving when the settings are not good, and are restarted when the new one cannot take over', async () => {
    const stream = await held(machine, ADDRESSES[0]);
    const old = processes(machine).slice(0, SERVICES.length);
    const settings = machine.read('etc/es-web-notify.conf');
    machine.write('etc/es-web-notify.conf', `${settings}keep_alives = 20s\n`);
    makeNext(machine, '0.1.2');
    assert.match(install(machine, '0.1.2'), /keep_alives.*\s+esn-fanout, esn-event, esn-subscribe: the new programs would not start with these settings/);
    assert.deepEqual(processes(machine).slice(0, SERVICES.length), old);
    story.assertActive(machine, ALL);
    machine.write('etc/es-web-notify.conf', settings);
    assert.ok(!stream.hasEnded());
    assert.equal(machine.run('/usr/share/es-web-notify/upgrade.sh').match(/^process \d+ serves/gm)?.length, 2);
    processes(machine).forEach((pid, i) => assert.notEqual(pid, old[i], ALL[i]));

    makeNext(machine, '0.1.3', `mv usr/sbin/esn-fanout usr/libexec/esn-fanout-itself
      printf '#!/bin/sh\n[ -z "$ESN_UPGRADE" ] || exit 9\nexec /usr/libexec/esn-fanout-itself "$@"\n' >usr/sbin/esn-fanout
      chmod 755 usr/sbin/esn-fanout`);
    const output = install(machine, '0.1.3');
    assert.match(output, /ended with status 9 before it had taken over; the old program serves on\s+esn-fanout.service: restarted instead/);
    await stream.ended;
    assert.match(stream.output(), /"stopping"/);
    await story.assertFirstEvent(machine, README);
  });

  await t.test('are not restarted where policy-rc.d says so', () => {
    const old = processes(machine);
    machine.write('usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n');
    machine.run('chmod 755 /usr/sbin/policy-rc.d');
    machine.run('apt-get install -y --reinstall --allow-downgrades /home/keeper/es-web-notify_*.deb; rm /usr/sbin/policy-rc.d');
    assert.deepEqual(processes(machine), old);
    machine.run(`systemctl restart ${ALL.join(' ')}`);
    story.assertActive(machine, ALL);
  });

  await t.test('bring the first event behind Apache, as README.Debian says', async () => {
    const [prepare, start] = blocks('Apache', 'sh');
    const [site] = blocks('Apache', 'apache');
    machine.run('systemctl disable --now nginx && systemctl enable --now apache2');
    machine.follow(prepare, '/');
    machine.edit('etc/apache2/sites-available/000-default.conf', '</VirtualHost>', `${site}</VirtualHost>`);
    machine.follow(start, '/');
    await story.assertFirstEvent(machine, README);
  });

  await t.test('leave nothing when they are purged', () => {
    machine.run('a2dismod -q -f proxy_http proxy_fcgi proxy setenvif rewrite fcgid; apt-get purge -y es-web-notify es-web-notify-doc');
    const left = new Set(listing(machine));
    bare.forEach((name) => left.delete(name));
    assert.deepEqual([...left].filter((name) => !/apache2|nginx/.test(name)), []);
    // systemd may remember names of units for a while that have no file any more.
    assert.equal(machine.run('systemctl list-units --all --no-legend "esn-*" | grep -v not-found; ls /run | grep -c es-web-notify || true'), '0');
  });
});
