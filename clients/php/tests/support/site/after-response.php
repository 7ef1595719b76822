<?php

declare(strict_types=1);

// A page that emits two events and whose last words come later.

require __DIR__ . '/common.php';

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\TimeLimits;

session_id('page');
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$broker = new Emitter(getenv('ESN_SITE_BROKER'), token: 'secret', limits: new TimeLimits(total: 3600.0));
$later = $broker->afterResponse(
    timeLimit: (float) getenv('ESN_SITE_TIME_LIMIT'),
    memory: new FileDownMemory(getenv('ESN_SITE_MEMORY'), hold: 3600.0),
);
$later->emit(new Event('placed', ['order' => 1]), EventPoint::shout('orders'));
register_shutdown_function(static function () use ($later): void {
    $later->emit(new Event('seen'), EventPoint::shout('orders'));
    echo ', and its end';
});
ob_start();
echo 'the page';
