<?php

// What one user sees. ?about=something-else is a page that has nothing to do with water.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

$user = current_user();
$seat = session_name();
$elsewhere = isset($_GET['about']);

begin_page($user ?? words()['log-in'], $user === null ? null : 'page.js');
?>
<main class="cards page" data-seat="<?= $seat ?>" data-elsewhere="<?= json_encode($elsewhere) ?>">
  <section class="card">
<?php if ($user === null): ?>
    <h2><?= say('who') ?></h2>
    <form class="login" method="post" action="login.php?seat=<?= $seat ?>">
      <div class="buttons">
<?php foreach (USERS as $name): ?>
        <button name="user" value="<?= $name ?>"><?= $name ?></button>
<?php endforeach ?>
      </div>
    </form>
<?php else: ?>
    <h1 class="who"><strong><?= htmlspecialchars($user) ?></strong>
      <span id="state" class="state" role="status" data-state="connecting"><?= say('js.connecting') ?></span></h1>
<?php if ($elsewhere): ?>
    <h2><?= say('soup') ?></h2>
    <p><?= say('soup.text') ?></p>
<?php else: ?>
    <h2>CASA/NIVEL_AGUA</h2>
    <p class="level"><span id="level">–</span> <small>cm</small></p>
<?php endif ?>
    <div class="buttons">
<?php if ($elsewhere): ?>
      <a class="button quiet" href="page.php?seat=<?= $seat ?>" id="turn"><?= say('to-level') ?></a>
<?php else: ?>
      <a class="button quiet" href="page.php?seat=<?= $seat ?>&amp;about=something-else" id="turn"><?= say('elsewhere') ?></a>
<?php endif ?>
      <form method="post" action="login.php?seat=<?= $seat ?>"><button class="quiet"><?= say('log-out') ?></button></form>
    </div>
  </section>
  <section class="card">
    <h2 id="heard-title"><?= say('heard') ?></h2>
    <div class="log" role="log" aria-labelledby="heard-title" tabindex="0"><ol id="heard" class="lines"></ol></div>
    <p id="nothing" class="hint"><?= say('nothing') ?></p>
<?php endif ?>
  </section>
</main>
</body>
</html>
