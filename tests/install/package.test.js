'use strict';

// The Debian packages: installed behind nginx and Apache as README.Debian says, rebooted, installed once more, and purged.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { section } = require('./lib/document');
const { Machine } = require('./lib/machine');
const story = require('./lib/story');

const README = 'deploy/debian/es-web-notify.README.Debian';
const { SERVICES } = story;
const SITE = SERVICES.map((service) => `${service}@shop`);

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

describe('the Debian packages', () => {
  let machine;
  let bare;
  before(async () => {
    machine = await Machine.boot(['apache2']);
    bare = listing(machine);
    const packages = process.env.ESN_PACKAGES;
    for (const file of fs.readdirSync(packages).filter((name) => name.endsWith('.deb'))) {
      fs.copyFileSync(path.join(packages, file), path.join(machine.root, 'home/keeper', file));
    }
    machine.follow('sudo apt-get install -y ./es-web-notify_*.deb ./es-web-notify-doc_*.deb', '/home/keeper');
  });
  after(() => machine?.stop());

  it('have all services run once they are installed, with secrets of their own', () => {
    const there = listing(machine);
    ['/usr/sbin/esn-fanout', '/etc/es-web-notify/publish.token', 'esn-web'].forEach((name) => assert.ok(there.includes(name), name));
    story.assertActive(machine, SERVICES);
    assert.match(machine.run('esnctl check-config'), /good for the user esn-fanout\n.*good for the user esn-event\n.*good for the user esn-subscribe$/);
    assert.equal(machine.run('wc -c < /etc/es-web-notify/ticket.secret'), '65');
  });

  it('bring the first event behind nginx, as README.Debian says', async () => {
    blocks('', 'sh').forEach((text) => machine.follow(text, '/'));
    const [site] = blocks('nginx', 'nginx');
    machine.edit('etc/nginx/sites-available/default', 'server_name _;', `server_name _;\n${site}`);
    blocks('nginx', 'sh').forEach((text) => machine.follow(text, '/'));
    await story.assertFirstEvent(machine, README);
  });

  it('pass their own test (autopkgtest)', () => {
    fs.cpSync(path.join(__dirname, '../../deploy/debian/tests'), path.join(machine.root, 'home/keeper/tests'), { recursive: true });
    const [, name] = /^Tests: (\S+)$/m.exec(machine.read('home/keeper/tests/control'));
    machine.run(`/home/keeper/tests/${name}`);
  });

  it('come back from a reboot by themselves', async () => {
    await machine.reboot();
    story.assertActive(machine, SERVICES);
    await story.assertFirstEvent(machine, README);
    story.assertNothingDenied(machine);
  });

  it('keep settings and secrets when they are installed once more, and restart a further site', async () => {
    machine.run('printf "[fanout]\\nkeep_alive = 20s\\n" >>/etc/es-web-notify.conf');
    machine.run('/usr/share/es-web-notify/add-site.sh shop 8020 && systemctl daemon-reload');
    machine.run(`systemctl enable --now ${SITE.join(' ')}`);
    const processes = () => SITE.map((service) => machine.run(`systemctl show -P MainPID ${service}`));
    const kept = () => machine.run('find /etc/es-web-notify.conf /etc/es-web-notify -type f | sort | xargs sha256sum');
    const [before, old] = [kept(), processes()];
    machine.run('apt-get install -y --reinstall /home/keeper/es-web-notify_*.deb');
    assert.equal(kept(), before);
    story.assertActive(machine, [...SERVICES, ...SITE]);
    processes().forEach((pid, i) => assert.notEqual(pid, old[i], SITE[i]));
    await story.assertFirstEvent(machine, README);
  });

  it('bring the first event behind Apache, as README.Debian says', async () => {
    const [prepare, start] = blocks('Apache', 'sh');
    const [site] = blocks('Apache', 'apache');
    machine.run('systemctl disable --now nginx && systemctl enable --now apache2');
    machine.follow(prepare, '/');
    machine.edit('etc/apache2/sites-available/000-default.conf', '</VirtualHost>', `${site}</VirtualHost>`);
    machine.follow(start, '/');
    await story.assertFirstEvent(machine, README);
  });

  it('leave nothing when they are purged', () => {
    machine.run('a2dismod -q -f proxy_http proxy_fcgi proxy setenvif rewrite fcgid; apt-get purge -y es-web-notify es-web-notify-doc');
    const left = new Set(listing(machine));
    bare.forEach((name) => left.delete(name));
    assert.deepEqual([...left].filter((name) => !/apache2|nginx/.test(name)), []);
    // systemd may remember names of units for a while that have no file any more.
    assert.equal(machine.run('systemctl list-units --all --no-legend "esn-*" | grep -v not-found; ls /run | grep -c es-web-notify || true'), '0');
  });
});
