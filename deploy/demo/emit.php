<?php

// Sends what the page asks for to the broker, and hands back what the broker says.
// A page of another site can't send this content type here without being asked first, so it stays out.

$say = json_decode(file_get_contents('php://input'), true);
$isGood = ($_SERVER['CONTENT_TYPE'] ?? '') === 'application/json'
    && is_string($say['topic'] ?? null) && is_string($say['type'] ?? null) && is_int($say['whisper'] ?? 0);

$point = ['topic' => $say['topic'] ?? ''] + (isset($say['whisper']) ? ['whisper' => $say['whisper']] : []);
$event = ['type' => $say['type'] ?? '', 'detail' => $say['detail'] ?? null];

$curl = curl_init(getenv('ESN_EVENT_URL'));
curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 5]);
curl_setopt($curl, CURLOPT_HTTPHEADER, ['Authorization: Bearer ' . getenv('ESN_PUBLISH_TOKEN')]);
curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode(['ep' => [$point], 'e' => $event]));
$answer = $isGood ? curl_exec($curl) : '{"error": "Topic and type should be strings, whisper a number"}';

http_response_code($isGood ? curl_getinfo($curl, CURLINFO_RESPONSE_CODE) ?: 502 : 400);
header('Content-Type: application/json');
echo $answer ?: '{"error": "The broker does not answer"}';
