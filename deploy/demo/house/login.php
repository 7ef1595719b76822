<?php

// Whoever comes is believed: real applications ask for a password. The name goes into the session, as everywhere in PHP.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

open_session();
session_regenerate_id(true);
$user = $_POST['user'] ?? '';
$_SESSION = ['uid' => in_array($user, USERS, true) ? $user : null];
session_write_close();
header('Location: page.php?seat=' . session_name(), true, 303);
