<?php

// Every way in, side by side: the same event comes to this page by each of them, and by the code that is shown.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';
require __DIR__ . '/listing.php';

$by = isset($_GET['client']) ? 'client' : 'plain';
$ways = [
    'frames' => ['Streamed frames', 'POST /notify/', 'One answer that goes on. For fetch() and scripts.'],
    'sse' => ['Server-Sent Events', 'GET /notify/sse', 'EventSource, which comes back by itself.'],
    'websocket' => ['WebSocket', 'GET /notify/ws', 'A message each; pages may change what they ask for.'],
    'poll' => ['Long-poll', 'POST /notify/poll', 'A request each. Gets through where nothing else does.'],
];

begin_page('Every way in', 'ways.js', 'ways.css');
?>
<header class="bar">
  <img src="../icon.svg" alt="" width="32" height="32">
  <h1>Every way in</h1>
  <p class="hint"><a href="../">The demo</a> · <a href="../house/">Who may hear</a> · <a href="../ask/">Ask and answer</a></p>
</header>

<main class="page every-way" data-page="<?= bin2hex(random_bytes(8)) ?>" data-by="<?= $by ?>">
  <section class="card probe" aria-labelledby="probe-title">
    <h2 id="probe-title">From PHP to this page</h2>
    <p>This page posts to <code>probe.php</code>, PHP emits one event on the page’s own topic, and each way below brings it
      back. The times are from posting to arrival, on this page’s clock alone: web server, PHP, broker and the way back.
      The bytes are those of an answer’s body, and of a poll its head too, as they arrive here.</p>
    <div class="buttons">
      <button id="burst" disabled>Send 50, one after the other</button>
      <label><input id="steady" type="checkbox" checked> one each second</label>
      <output id="answer"></output>
    </div>
  </section>

<?php foreach ($ways as $name => [$title, $request, $purpose]): ?>
  <section class="card way" data-way="<?= $name ?>" aria-labelledby="<?= $name ?>-title">
    <h2 id="<?= $name ?>-title"><?= $title ?></h2>
    <p class="state" role="status" data-state="connecting">Connecting</p>
    <p class="purpose"><code><?= $request ?></code><?= $purpose ?></p>
    <p class="figure"><span class="median">–</span> <abbr title="milliseconds, the median">ms</abbr>
      <small>99% of <span class="kept">0</span> within <span class="worst">–</span></small></p>
    <svg class="sparkline" role="img" aria-label="Latencies of the last probes"></svg>
    <dl>
      <div><dt>Events</dt><dd class="heard">0</dd></div>
      <div><dt>Missed</dt><dd class="missed">0</dd></div>
      <div><dt>Reconnections</dt><dd class="reconnections">0</dd></div>
      <div><dt>Bytes an event</dt><dd class="bytes">–</dd></div>
    </dl>
  </section>
<?php endforeach ?>

  <section id="code" class="card" aria-labelledby="code-title">
    <h2 id="code-title">The code that a page needs</h2>
    <p class="ways by">
      <a href="."<?= $by === 'plain' ? ' aria-current="true"' : '' ?>>Without a library</a>
      <a href="?client"<?= $by === 'client' ? ' aria-current="true"' : '' ?>>With the client package</a>
    </p>
    <fieldset class="ways">
      <legend class="unseen">Way</legend>
<?php foreach ($ways as $name => [$title]): ?>
      <label><input type="radio" name="listing" value="<?= $name ?>"<?= $name === 'frames' ? ' checked' : '' ?>> <?= $title ?></label>
<?php endforeach ?>
      <label><input type="radio" name="listing" value="php"> PHP that emits</label>
    </fieldset>
    <div class="listing">
<?php foreach ($ways as $name => $_): ?>
      <pre data-of="<?= $name ?>" hidden><code><?= listing(__DIR__ . "/$by/$name.js", USE_OF[$by]) ?></code></pre>
<?php endforeach ?>
      <pre data-of="php" hidden><code><?= listing(__DIR__ . '/probe.php') ?></code></pre>
      <button id="copy" class="quiet">Copy</button>
    </div>
    <p class="hint">This is what runs above. Paste it into a <code>&lt;script type="module"&gt;</code>, or keep it in a
      file and import it.<?= $by === 'client' ? ' Here <code>/client/</code> is the folder clients/js/src.' : '' ?></p>
  </section>
</main>
</body>
</html>
