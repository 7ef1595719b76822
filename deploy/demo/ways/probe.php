<?php

// Emits one event on the topic of the page that asks for it.

declare(strict_types=1);

require dirname(__DIR__, 3) . '/clients/php/autoload.php';

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\NotifyException;

$page = (string) filter_input(INPUT_POST, 'page');
$number = filter_input(INPUT_POST, 'number', FILTER_VALIDATE_INT);
if (preg_match('/^[0-9a-f]{16}$/D', $page) !== 1 || !is_int($number)) {
    http_response_code(400);
    exit;
}

header('Content-Type: application/json');
try {
    $broker = new Emitter(getenv('ESN_EVENT_URL'), getenv('ESN_PUBLISH_TOKEN'));
    $called = microtime(true);
    $broker->emit(new Event('probe', ['number' => $number]), EventPoint::shout("ways/$page"));
    $before = 1000 * ($called - $_SERVER['REQUEST_TIME_FLOAT']); // ms in PHP until it emitted
    echo json_encode(['before' => $before, 'emitted' => 1000 * (microtime(true) - $called)]);
} catch (NotifyException $problem) {
    http_response_code(502);
    echo json_encode(['error' => $problem->getMessage()]);
}
