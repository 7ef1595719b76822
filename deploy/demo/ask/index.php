<?php

// Request and response: the page asks with a POST that is over at once, the answer comes as a whisper to its stream.

declare(strict_types=1);

require dirname(__DIR__) . '/frame.php';

begin_named_page('ask', 'ask.js');
?>
<div class="cards page">
  <section class="card" aria-labelledby="ask-title">
    <h2 id="ask-title"><?= say('ask.title') ?></h2>
    <form id="ask" autocomplete="off">
      <label class="field"><?= say('number') ?>
        <input name="number" value="600851475143" required inputmode="numeric" pattern="[0-9]{1,15}">
      </label>
      <button><?= say('ask') ?></button>
    </form>
    <progress id="progress" max="1" value="0" aria-label="<?= say('progress') ?>"></progress>
    <div class="log" role="log" aria-label="<?= say('answers') ?>" tabindex="0"><ol id="answers" class="lines"></ol></div>
  </section>
</div>

<?php end_page('ask', 'ask/index.php') ?>
