<?php

declare(strict_types=1);

require __DIR__ . '/common.php';

session_id($_GET['id']);
session_start();
session_destroy();
