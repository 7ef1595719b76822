<?php

// Who may hear the water level: read, and written by a POST. Real applications ask first who wants to change it.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

const TOPIC = 'CASA/NIVEL_AGUA';

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $sub = array_values(array_intersect(USERS, (array) (posted()['sub'] ?? [])));
    rights()->prepare('UPDATE registered_topics SET sub = ? WHERE topic = ?')->execute([json_encode($sub), TOPIC]);
}
$row = rights()->prepare('SELECT sub FROM registered_topics WHERE topic = ?');
$row->execute([TOPIC]);
answer(['sub' => json_decode((string) $row->fetchColumn()) ?? []]);
