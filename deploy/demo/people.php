<?php

// Who is present, or with ?clid=NAME the connection ids of one of them, to whisper to.

declare(strict_types=1);

require __DIR__ . '/broker.php';

header('Content-Type: application/json');
header('Cache-Control: no-store');

$clid = $_GET['clid'] ?? null;
echo is_string($clid) ? json_encode(connections_of($clid)) : json_encode((object) who_is_present());
