<?php

// The binding server: esn-subscribe asks it whose session a bind key names. No page does.

declare(strict_types=1);

require dirname(__DIR__, 2) . '/clients/php/autoload.php';

use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\Binding\BindingServer;

(new BindingServer(BindKeyReader::fromPrivateKey(getenv('ESN_SUBSCRIBE_PRIVATE_KEY')), 'uid'))->respond();
