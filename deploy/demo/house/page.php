<?php

// What one user sees. ?about=something-else is a page that has nothing to do with water.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

$user = current_user();
$seat = session_name();
$elsewhere = isset($_GET['about']);

begin_page($user ?? 'Log in', $user === null ? null : 'page.js');
?>
<main class="page" data-seat="<?= $seat ?>" data-elsewhere="<?= json_encode($elsewhere) ?>">
  <section class="card">
<?php if ($user === null): ?>
    <h2>Who are you?</h2>
    <form class="login" method="post" action="login.php?seat=<?= $seat ?>">
      <div class="buttons">
<?php foreach (USERS as $name): ?>
        <button name="user" value="<?= $name ?>"><?= $name ?></button>
<?php endforeach ?>
      </div>
    </form>
<?php else: ?>
    <p class="who"><strong><?= htmlspecialchars($user) ?></strong>
      <span id="state" class="state" role="status" data-state="connecting">Connecting</span></p>
<?php if ($elsewhere): ?>
    <h2>Tomato soup</h2>
    <p>Fry an onion, add a kilo of tomatoes and half a litre of broth, and wait half an hour.</p>
<?php else: ?>
    <h2>CASA/NIVEL_AGUA</h2>
    <p class="level"><span id="level">–</span> <small>cm</small></p>
<?php endif ?>
    <div class="buttons">
<?php if ($elsewhere): ?>
      <a class="button quiet" href="page.php?seat=<?= $seat ?>">To the water level</a>
<?php else: ?>
      <a class="button quiet" href="page.php?seat=<?= $seat ?>&amp;about=something-else">To another page</a>
<?php endif ?>
      <form method="post" action="login.php?seat=<?= $seat ?>"><button class="quiet">Log out</button></form>
    </div>
  </section>
  <section class="card">
    <h2>Heard</h2>
    <ol id="heard" class="lines" role="log"></ol>
    <p id="nothing" class="hint">Nothing yet.</p>
<?php endif ?>
  </section>
</main>
</body>
</html>
