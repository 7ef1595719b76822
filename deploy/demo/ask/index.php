<?php

// Request and response: the page asks with a POST that is over at once, the answer comes as a whisper to its stream.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

begin_page('Ask and answer', 'ask.js');
?>
<header class="bar">
  <img src="../icon.svg" alt="" width="32" height="32">
  <h1>Ask now, hear later</h1>
  <p class="hint"><a href="../">The demo</a> · <a href="../ways/">Every way in</a> · <a href="../house/">Who may hear</a></p>
  <p id="state" class="state" role="status" data-state="connecting">Connecting</p>
</header>

<main class="page">
  <section class="card">
    <h2>Which primes make up this number?</h2>
    <form id="ask" autocomplete="off">
      <label class="field">Number
        <input name="number" value="600851475143" required inputmode="numeric" pattern="[0-9]{1,15}">
      </label>
      <button>Ask</button>
    </form>
    <progress id="progress" max="1" value="0"></progress>
    <ol id="answers" class="lines" role="log"></ol>
    <p class="hint">Only this page hears the answer.</p>
  </section>
</main>
</body>
</html>
