<?php

declare(strict_types=1);

// Router script of the built-in web server; see ScriptedPeer.

$directory = getenv('ESN_PEER_DIRECTORY');
$script = json_decode(file_get_contents("$directory/script.json"), true);
$number = count(@file("$directory/requests") ?: []);
file_put_contents("$directory/requests", json_encode([
    'method' => $_SERVER['REQUEST_METHOD'],
    'uri' => $_SERVER['REQUEST_URI'],
    'headers' => array_change_key_case(getallheaders()),
    'body' => file_get_contents('php://input'),
], JSON_THROW_ON_ERROR) . "\n", FILE_APPEND);

$answer = $script[$number] ?? ['status' => 599, 'body' => 'more requests than the script has answers'];
while (($answer['hold'] ?? false) && !file_exists("$directory/released")) {
    usleep(2000);
    clearstatcache();
}
http_response_code($answer['status'] ?? 200);
array_map('header', $answer['headers'] ?? []);
echo $answer['body'] ?? '';
