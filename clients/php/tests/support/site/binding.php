<?php

declare(strict_types=1);

require __DIR__ . '/common.php';

use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\Binding\BindingServer;
use EsWebNotify\Binding\PhpSessions;

// The keys of the tests live longer than real ones, so that no test hangs on the machine's speed.
$keys = BindKeyReader::fromPrivateKey(getenv('ESN_SITE_KEY'), tolerance: 3600);
$sessions = new PhpSessions((float) (getenv('ESN_SITE_LOCK_LIMIT') ?: 30.0));
(new BindingServer($keys, 'uid', $sessions))->respond();
