<?php

// Every way in, side by side: the same event comes to this page by each of them, and by the code that is shown.

declare(strict_types=1);

require dirname(__DIR__) . '/frame.php';
require __DIR__ . '/listing.php';

$by = isset($_GET['client']) ? 'client' : 'plain';
$ways = ['frames' => 'POST /notify/', 'sse' => 'GET /notify/sse', 'websocket' => 'GET /notify/ws', 'poll' => 'POST /notify/poll'];
if (getenv('ESN_HANDOFF') === 'redirect') {
    unset($ways['websocket']); // which follows no redirection: it wants a ticket first
}

begin_named_page('ways', 'ways.js', 'ways/ways.css', false);
?>
<div class="cards page every-way" data-page="<?= bin2hex(random_bytes(8)) ?>" data-by="<?= $by ?>">
  <section class="card probe" aria-labelledby="probe-title">
    <h2 id="probe-title"><?= say('ways.title') ?></h2>
    <div class="buttons">
      <button id="burst" disabled><?= say('ways.burst') ?></button>
      <label><input id="steady" type="checkbox" checked> <?= say('ways.steady') ?></label>
      <output id="answer"></output>
    </div>
    <dl class="medians" aria-label="<?= say('ways.medians') ?>">
<?php foreach ($ways as $name => $_): ?>
      <div><dt><?= say($name) ?></dt><dd data-median="<?= $name ?>">–</dd></div>
<?php endforeach ?>
    </dl>
  </section>

<?php foreach ($ways as $name => $request): ?>
  <section class="card way" data-way="<?= $name ?>" aria-labelledby="<?= $name ?>-title">
    <div class="head">
      <h2 id="<?= $name ?>-title"><?= say($name) ?></h2>
      <p class="state" role="status" data-state="connecting"><?= say('js.connecting') ?></p>
    </div>
    <p class="purpose"><code><?= $request ?></code><?= say("$name.purpose") ?></p>
    <div>
      <p class="figure"><span class="median">–</span> <abbr title="<?= say('ms') ?>">ms</abbr>
        <small title="<?= say('php.long') ?>">+ <span class="before">–</span> <?= say('php') ?></small></p>
      <p class="hint"><?= say('kept.before') ?> <span class="kept">0</span> <?= say('kept.after') ?> <span class="worst">–</span></p>
    </div>
    <svg class="sparkline" role="img" aria-label="<?= say('latencies') ?>"></svg>
    <dl>
      <div><dt><?= say('events') ?></dt><dd class="heard">0</dd></div>
      <div><dt><?= say('missed') ?></dt><dd class="missed">0</dd></div>
      <div><dt><?= say('reconnections') ?></dt><dd class="reconnections">0</dd></div>
      <div><dt><?= say('bytes') ?></dt><dd class="bytes">–</dd></div>
    </dl>
  </section>
<?php endforeach ?>

  <section id="code" class="card" aria-labelledby="code-title">
    <h2 id="code-title"><?= say('code') ?></h2>
    <p class="ways by">
      <a href="."<?= $by === 'plain' ? ' aria-current="true"' : '' ?>><?= say('code.plain') ?></a>
      <a href="?client"<?= $by === 'client' ? ' aria-current="true"' : '' ?>><?= say('code.client') ?></a>
    </p>
    <fieldset class="ways">
      <legend class="unseen"><?= say('way') ?></legend>
<?php foreach ($ways as $name => $_): ?>
      <label><input type="radio" name="listing" value="<?= $name ?>"<?= $name === 'frames' ? ' checked' : '' ?>> <?= say($name) ?></label>
<?php endforeach ?>
      <label><input type="radio" name="listing" value="php"> <?= say('code.php') ?></label>
    </fieldset>
    <div class="listing">
<?php foreach ($ways as $name => $_): ?>
      <pre tabindex="0" data-of="<?= $name ?>" hidden><code><?= listing(__DIR__ . "/$by/$name.js", USE_OF[$by]) ?></code></pre>
<?php endforeach ?>
      <pre tabindex="0" data-of="php" hidden><code><?= listing(__DIR__ . '/probe.php') ?></code></pre>
      <button id="copy" class="quiet"><?= say('copy') ?></button>
    </div>
    <p class="hint"><?= say('code.hint') ?><?= $by === 'client' ? ' ' . say('code.folder') : '' ?></p>
  </section>
</div>

<?php end_page('ways', 'ways/index.php') ?>
