<?php
/* post_events.php URL EVENTS INTERVAL_US BODY_FILE: a PHP backend that emits, one post after another over one kept
 * connection, a stamped event every so many microseconds. Stamps are hrtime(), the clock that the receiver reads too. */
declare(strict_types=1);

[, $url, $events, $interval_us, $body_file] = $argv;
$place = '~' . str_repeat('0', 24) . '~';
$body = file_get_contents($body_file);
if ($body === false || !str_contains($body, $place)) {
    fwrite(STDERR, "$body_file: no place for a stamp\n");
    exit(1);
}

$curl = curl_init($url);
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Expect:'],
    CURLOPT_TCP_NODELAY => true,
]);

$due = hrtime(true);
for ($i = 0; $i < (int)$events; $i++) {
    $due += (int)$interval_us * 1000;
    $wait = intdiv($due - hrtime(true), 1000);
    if ($wait > 0) {
        usleep($wait);
    }
    curl_setopt($curl, CURLOPT_POSTFIELDS, str_replace($place, sprintf('~%08x%016x~', $i, hrtime(true)), $body));
    $answer = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($answer === false || $status < 200 || $status > 299) {
        fwrite(STDERR, "$url answered $status: " . ($answer === false ? curl_error($curl) : $answer) . "\n");
        exit(1);
    }
}
