<?php

// Answers the browser at once, works on, and whispers how far it is and what came out.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

use EsWebNotify\Event;
use EsWebNotify\EventPoint;

['connid' => $connid, 'number' => $number] = posted() + ['connid' => null, 'number' => null];
if (!is_int($connid) || !is_int($number) || $number < 1) {
    http_response_code(400);
    exit;
}
http_response_code(202);
answer(['accepted' => true]);
fastcgi_finish_request();

// In quiet mode: there is nobody left to tell that the broker is down.
$whisper = fn (string $type, mixed $detail) => broker()->quiet()
    ->emit(new Event($type, $detail), EventPoint::whisper('ask/answers', $connid));

$factors = [];
$rest = $number;
$whisper('progress', 0.1);
for ($divisor = 2; $divisor * $divisor <= $rest; $divisor++) {
    for (; $rest % $divisor === 0; $rest = intdiv($rest, $divisor)) {
        $factors[] = $divisor;
        $whisper('progress', log($number / $rest) / log($number));
    }
}
$whisper('answer', ['number' => $number, 'factors' => $rest > 1 ? [...$factors, $rest] : ($factors ?: [1])]);
