<?php

declare(strict_types=1);

require dirname(__DIR__, 3) . '/autoload.php';
require dirname(__DIR__) . '/DirectorySessions.php';

use EsWebNotify\Tests\Support\DirectorySessions;

if (getenv('ESN_SITE_HANDLER') === 'own') {
    session_set_save_handler(new DirectorySessions(getenv('ESN_SITE_SESSIONS')));
}
