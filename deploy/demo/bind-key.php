<?php

// A bind key for the session of this page, fetched right before it subscribes: it is valid for some seconds.

declare(strict_types=1);

require __DIR__ . '/broker_client.php';

use EsWebNotify\BindKey\BindKeyMaker;

open_session();
$session = session_id();
session_write_close();

header('Content-Type: text/plain');
header('Cache-Control: no-store');
echo BindKeyMaker::fromPublicKey(getenv('ESN_SUBSCRIBE_PUBLIC_KEY'))->forSubscribing($session);
