<?php

declare(strict_types=1);

// Pages that leave an event each: php outbox-page.php DSN DOORBELL COUNT ADDS. A line each: number, milliseconds of the
// transaction and the doorbell, and when COMMIT had returned. ADDS 0: the same transaction without an event.

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Outbox;

require __DIR__ . '/../../clients/php/autoload.php';

[, $dsn, $doorbell, $count, $adds] = $argv;
$database = new PDO($dsn, 'root', null, [PDO::ATTR_TIMEOUT => 10]);
$outbox = new Outbox(doorbell: $doorbell);
for ($number = 0; $number < (int) $count; $number++) {
    usleep(random_int(10_000, 30_000));
    $begin = hrtime(true);
    $database->beginTransaction();
    $database->exec('UPDATE orders SET paid = paid + 1 WHERE id = 1');
    if ($adds === '1') {
        $outbox->add($database, new Event('n', $number), EventPoint::shout('orders/1'), queue: 'orders/1');
    }
    $database->commit();
    $committed = microtime(true) * 1000;
    if ($adds === '1') {
        $outbox->ring();
    }
    printf("%d %.3f %.3f\n", $number, (hrtime(true) - $begin) / 1e6, $committed);
}
