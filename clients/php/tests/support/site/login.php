<?php

declare(strict_types=1);

require __DIR__ . '/common.php';

session_start();
foreach ($_GET as $name => $value) {
    $_SESSION[$name] = $value;
}
echo session_id();
