<?php

// The page: what is there when it is opened. All that moves is in demo.js.

declare(strict_types=1);

require __DIR__ . '/broker.php';

header("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    . "connect-src 'self' " . getenv('ESN_FANOUT_URL') . "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
header('X-Content-Type-Options: nosniff');

$present = json_encode((object) who_is_present(), JSON_HEX_TAG | JSON_HEX_AMP);
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>es-web-notify</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="demo.css">
<script type="application/json" id="present"><?= $present ?></script>
<script type="module" src="demo.js"></script>
</head>
<body>

<header class="bar">
  <img src="icon.svg" alt="" width="32" height="32">
  <h1>es-web-notify</h1>
  <p class="hint"><a href="ways/">Every way in</a> · <a href="house/">Who may hear</a> · <a href="ask/">Ask and answer</a></p>
  <p id="state" class="state" role="status" data-state="connecting">Connecting</p>
</header>

<main>
  <section class="card you" aria-labelledby="you-title">
    <h2 id="you-title">This page</h2>
    <p class="name"><span id="avatar" class="avatar" aria-hidden="true"></span><span id="clid"></span></p>
    <dl>
      <div><dt>Connection</dt><dd id="connid">–</dd></div>
      <div><dt>Way in</dt><dd><a id="way" href="ways/">–</a></dd></div>
      <div><dt>Last event</dt><dd id="newest">–</dd></div>
      <div><dt>Listens to</dt><dd id="topics"></dd></div>
    </dl>
  </section>

  <section class="card present" aria-labelledby="present-title">
    <h2 id="present-title">Present <span id="count" class="count"></span></h2>
    <ul id="people"></ul>
    <p class="hint">Choose somebody to whisper to. Open this page in a second browser for company.</p>
  </section>

  <section class="card say" aria-labelledby="say-title">
    <h2 id="say-title">Say something</h2>
    <form id="say" autocomplete="off">
      <fieldset class="ways">
        <legend class="unseen">How</legend>
        <label><input type="radio" name="way" value="shout" checked> Shout <small>to all who listen</small></label>
        <label><input type="radio" name="way" value="whisper"> Whisper <small>to one connection</small></label>
      </fieldset>
      <label class="field where shout">Topic
        <input name="topic" value="demo/plaza" required spellcheck="false" autocapitalize="none">
      </label>
      <label class="field where whisper">Connection
        <input name="connid" inputmode="numeric" pattern="[0-9]+" placeholder="its number, or choose a person">
      </label>
      <label class="field what">Message
        <input name="text" required maxlength="2000" placeholder="¡Hola!">
      </label>
      <button>Send</button>
    </form>
    <output id="answer" form="say"></output>
  </section>

  <section class="card rate" aria-labelledby="rate-title">
    <h2 id="rate-title">Events a second</h2>
    <p class="figure"><span id="rate">0</span> <small>most in this minute: <span id="most">0</span></small></p>
    <svg id="sparkline" class="sparkline" role="img" aria-label="Events a second, last minute"></svg>
  </section>

  <section class="card arrived" aria-labelledby="arrived-title">
    <h2 id="arrived-title">What arrives <span id="total" class="count">0</span></h2>
    <ol id="events" role="log" aria-labelledby="arrived-title" tabindex="0"></ol>
    <p id="nothing" class="hint">Nothing yet. Say something, or post an event from a terminal.</p>
  </section>
</main>

</body>
</html>
