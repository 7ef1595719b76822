<?php

// Emits a thousand events, each with a post of its own, as a thousand customers would.

declare(strict_types=1);

require __DIR__ . '/broker_client.php';

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\NotifyException;

const EVENTS = 1000;

posted();
try {
    $broker = broker();
    $begun = microtime(true);
    for ($number = 1; $number <= EVENTS; $number++) {
        $broker->emit(new Event('burst', ['number' => $number]), EventPoint::shout('demo/burst'));
    }
    answer(['ms' => round(1000 * (microtime(true) - $begun))]);
} catch (NotifyException $problem) {
    http_response_code(502);
    answer(['error' => $problem->getMessage()]);
}
