<?php

// The sensor: measures, and says so on the bound topic. With {"targeted": true} those hear it who follow the topic,
// whatever page they are on.

declare(strict_types=1);

require dirname(__DIR__) . '/broker_client.php';

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\NotifyException;

$topic = 'CASA/NIVEL_AGUA';
$targeted = (posted()['targeted'] ?? false) === true;
$event = new Event($targeted ? 'alarm' : 'level', ['cm' => random_int(40, 180)]);
try {
    $sensor = broker()->onBehalfOf('sensor');
    $receipt = $sensor->emit($event, $targeted ? EventPoint::targeted($topic) : EventPoint::bound($topic));
    answer(['receivers' => $receipt->receivers]);
} catch (NotifyException $problem) {
    http_response_code(502);
    answer(['error' => $problem->getMessage()]);
}
