<?php

// Two users side by side: whoever may hear CASA/NIVEL_AGUA hears it, and nobody else.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

begin_page('The water level', 'rights.js');
?>
<header class="bar">
  <img src="../icon.svg" alt="" width="32" height="32">
  <h1>Who hears the water level?</h1>
  <p class="hint"><a href="../">The demo</a> · <a href="../ways/">Every way in</a> · <a href="../ask/">Ask and answer</a></p>
</header>

<div class="seats">
  <iframe src="page.php?seat=left" title="One user"></iframe>
  <iframe src="page.php?seat=right" title="Another user"></iframe>
</div>

<main class="page">
  <section class="card" aria-labelledby="rights-title">
    <h2 id="rights-title">The sensor, and what the database says</h2>
    <form id="rights">
<?php foreach (USERS as $user): ?>
      <label><input type="checkbox" name="sub" value="<?= $user ?>"> <?= $user ?> may hear</label>
<?php endforeach ?>
    </form>
    <p class="hint">A change holds from the next event on, for streams that are open already too.</p>
    <div class="buttons">
      <button id="measure">Measure the level</button>
      <button id="alarm" class="quiet">Tell those who follow it</button>
    </div>
    <output id="answer"></output>
  </section>
</main>
</body>
</html>
