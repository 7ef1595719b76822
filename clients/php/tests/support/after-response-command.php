<?php

declare(strict_types=1);

// A command that emits events and ends in the manner that its argument says; see AfterResponseTest.

require dirname(__DIR__, 2) . '/autoload.php';

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Quiet\FileDownMemory;

$later = (new Emitter($argv[2]))->afterResponse(timeLimit: 60.0, memory: new FileDownMemory($argv[3]));
$later->emit(new Event('first'), EventPoint::shout('a'));
if ($argv[1] === 'fork') {
    $child = pcntl_fork();
    $later->emit(new Event($child === 0 ? 'child' : 'parent'), EventPoint::shout('a'));
    if ($child !== 0) {
        pcntl_waitpid($child, $status);
    }
}
echo "done\n";
match ($argv[1]) {
    'exit' => exit(3),
    'throw' => throw new RuntimeException('it broke'),
    default => null,
};
