'use strict';

// docs/install.md with Apache, word for word, on a bare Debian, and through a reboot.

const { test } = require('node:test');
const story = require('./lib/story');
const { section } = require('./lib/document');

/** Puts the document's lines where it says; PHP is there already. */
function configureApache(machine) {
  const name = 'Behind an Apache that you have';
  const [prepare, start] = section(name).filter(({ language }) => language === 'sh');
  machine.run('a2enmod -q proxy_fcgi setenvif && a2enconf -q php*-fpm');
  machine.follow(prepare.text);
  const [site, log] = section(name).filter(({ language }) => language === 'apache');
  const file = 'etc/apache2/sites-available/000-default.conf';
  machine.edit(file, '</VirtualHost>', `${site.text}</VirtualHost>`);
  machine.edit(file, 'CustomLog ${APACHE_LOG_DIR}/access.log combined', log.text.trim());
  machine.follow(start.text);
}

test('an installation behind Apache', async (t) => {
  let machine;
  t.before(async () => {
    machine = await story.installed(['nginx']);
  });
  t.after(() => machine?.stop());

  await t.test('brings the first event to curl', async () => {
    configureApache(machine);
    story.assertActive(machine, ['esn-fanout']);
    await story.assertFirstEvent(machine);
  });

  await t.test('serves the page\'s file, and PHP emits with the token', async () => {
    await story.assertPagesAndPhp(machine);
  });

  await t.test('takes bound posts once there are keys and tables', () => {
    story.assertBoundTopics(machine, 'sudo systemctl restart esn-event');
  });

  await t.test('is restarted and reloaded without waiting for streams', async () => {
    const [, lines] = section('When the web server is restarted');
    await story.assertRestartsLetGo(machine, 'apache2', lines.text, '/run/apache2/apache2.pid');
  });

  await t.test('comes back from a reboot by itself, with the log of before', async () => {
    const id = await story.lastId(machine);
    machine.run('esnctl emit kept/two missed 2');
    story.assertNothingDenied(machine);
    await machine.reboot();
    story.assertActive(machine, ['esn-fanout']);
    await story.assertFirstEvent(machine);
    await story.assertGoesOn(machine, id, '"missed"');
    story.assertNothingDenied(machine);
  });
});
