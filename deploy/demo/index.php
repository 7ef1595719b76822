<?php

// The page: what is there when it is opened. All that moves is in demo.js.

declare(strict_types=1);

require __DIR__ . '/broker.php';
require __DIR__ . '/frame.php';

$present = json_encode((object) who_is_present(), JSON_HEX_TAG | JSON_HEX_AMP);
$env = dirname((string) getenv('ESN_PUBLISH_PUBLIC_KEY'), 2) . '/env';
$package = dirname(__DIR__, 2) . '/clients/php/autoload.php';
$life = ($_GET['life'] ?? 'on') === 'off' ? '' : ' checked';

$shell = <<<END
    . $env
    curl "\$ESN_EVENT_URL" -H "Authorization: Bearer \$ESN_PUBLISH_TOKEN" -d '{"ep": ["demo/shell"],
      "e": {"type": "hello", "detail": "It works"}}'
    END;
$php = <<<END
    require '$package';
    use EsWebNotify\{Emitter, Event, EventPoint};
    \$broker = new Emitter(getenv('ESN_EVENT_URL'), getenv('ESN_PUBLISH_TOKEN'));
    \$broker->emit(new Event('hello', 'From PHP'), EventPoint::shout('demo/php'));
    END;

begin_named_page('home', 'demo.js', 'demo.css');
?>
<script type="application/json" id="present"><?= $present ?></script>
<div class="cards home">
  <section class="card make" aria-labelledby="make-title">
    <h2 id="make-title"><?= say('make') ?></h2>
    <div class="snippet">
      <h3><?= say('in-shell') ?></h3>
      <pre tabindex="0" id="shell"><?= htmlspecialchars($shell) ?></pre>
      <button type="button" data-copies="shell"><?= say('copy') ?></button>
    </div>
    <div class="snippet">
      <h3><?= say('in-php') ?></h3>
      <pre tabindex="0" id="php"><?= htmlspecialchars($php) ?></pre>
      <button type="button" data-copies="php"><?= say('copy') ?></button>
    </div>
  </section>

  <section class="card you" aria-labelledby="you-title">
    <h2 id="you-title"><?= say('you') ?></h2>
    <p class="name"><span id="avatar" class="avatar" aria-hidden="true"></span><span id="clid"></span></p>
    <dl>
      <div><dt><?= say('connection') ?></dt><dd id="connid">–</dd></div>
      <div><dt><?= say('way') ?></dt><dd id="way">–</dd></div>
      <div><dt><?= say('newest') ?></dt><dd id="newest">–</dd></div>
      <div><dt><?= say('listens') ?></dt><dd id="topics"></dd></div>
    </dl>
  </section>

  <section class="card present" aria-labelledby="present-title">
    <h2 id="present-title"><?= say('present') ?> <span id="count" class="count"></span></h2>
    <ul id="people"></ul>
    <p class="hint"><?= say('present.hint') ?></p>
  </section>

  <section class="card say" aria-labelledby="say-title">
    <h2 id="say-title"><?= say('say') ?></h2>
    <form id="say" autocomplete="off">
      <fieldset class="ways">
        <legend class="unseen"><?= say('how') ?></legend>
        <label><input type="radio" name="way" value="shout" checked> <?= say('shout') ?> <small><?= say('shout.to') ?></small></label>
        <label><input type="radio" name="way" value="whisper"> <?= say('whisper') ?> <small><?= say('whisper.to') ?></small></label>
      </fieldset>
      <label class="field where shout"><?= say('topic') ?>
        <input name="topic" value="demo/plaza" required spellcheck="false" autocapitalize="none">
      </label>
      <label class="field where whisper"><?= say('connid') ?>
        <input name="connid" inputmode="numeric" pattern="[0-9]+" placeholder="<?= say('connid.hint') ?>">
      </label>
      <label class="field what"><?= say('message') ?>
        <input name="text" required maxlength="2000" placeholder="<?= say('hello') ?>">
      </label>
      <button><?= say('send') ?></button>
    </form>
    <output id="answer" form="say"></output>
  </section>

  <section class="card rate" aria-labelledby="rate-title">
    <h2 id="rate-title"><?= say('rate') ?></h2>
    <p class="figure"><span id="rate">0</span> <small><?= say('rate.most') ?> <span id="most">0</span></small></p>
    <p class="burst"><button type="button" id="burst"><?= say('burst') ?></button></p>
    <svg id="sparkline" class="sparkline" role="img" aria-label="<?= say('rate.line') ?>"></svg>
  </section>

  <section class="card arrived" aria-labelledby="arrived-title">
    <h2 id="arrived-title"><?= say('arrived') ?> <span id="total" class="count">0</span></h2>
    <label class="life"><input type="checkbox" id="life"<?= $life ?>> <?= say('life') ?></label>
    <div class="log" role="log" aria-labelledby="arrived-title" tabindex="0"><ol id="events"></ol></div>
    <p id="nothing" class="hint"><?= say('nothing') ?></p>
  </section>
</div>

<?php end_page('home', 'index.php') ?>
