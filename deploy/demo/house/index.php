<?php

// Two users side by side: whoever may hear CASA/NIVEL_AGUA hears it, and nobody else.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

begin_named_page('house', 'rights.js', 'examples.css', false);
?>
<div class="cards page house">
  <section class="card sensor" aria-labelledby="sensor-title">
    <h2 id="sensor-title"><?= say('sensor') ?> · CASA/NIVEL_AGUA</h2>
    <div class="buttons">
      <button id="measure"><?= say('measure') ?></button>
      <button id="alarm" class="quiet"><?= say('alarm') ?></button>
      <output id="answer"></output>
    </div>
    <form id="rights">
<?php foreach (USERS as $user): ?>
      <label><input type="checkbox" name="sub" value="<?= $user ?>"> <?= $user, ' ', say('may') ?></label>
<?php endforeach ?>
    </form>
    <p class="hint"><?= say('house.hint') ?></p>
  </section>

  <div class="seats">
    <iframe src="page.php?seat=left" title="<?= say('left') ?>"></iframe>
    <iframe src="page.php?seat=right" title="<?= say('right') ?>"></iframe>
  </div>
</div>

<?php end_page('house', 'house/index.php') ?>
