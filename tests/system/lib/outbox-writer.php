<?php

declare(strict_types=1);

// A writer for the outbox, until it is killed: php outbox-writer.php DSN DOORBELL QUEUES PAUSE_US SEED
// Each transaction counts a queue's counter up and leaves events with its numbers; some are rolled back. So the numbers of a
// queue that were committed are those from 1 to its counter, whoever was killed at whatever moment.

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Outbox;

require __DIR__ . '/../../../clients/php/autoload.php';

[, $dsn, $doorbell, $queues, $pause, $seed] = $argv;
mt_srand((int) $seed);
$outbox = new Outbox(doorbell: $doorbell);

function connect(string $dsn): PDO
{
    $database = new PDO($dsn, 'root', null, [PDO::ATTR_TIMEOUT => 10]);
    if (str_starts_with($dsn, 'sqlite:')) {
        $database->exec('PRAGMA synchronous = FULL');
    }
    return $database;
}

function addOne(PDO $database, Outbox $outbox, string $queue): void
{
    $database->prepare('UPDATE outbox_counters SET n = n + 1 WHERE queue = ?')->execute([$queue]);
    $counter = $database->prepare('SELECT n FROM outbox_counters WHERE queue = ?');
    $counter->execute([$queue]);
    $number = (int) $counter->fetchColumn();
    $counter->closeCursor();
    $outbox->add($database, new Event('n', $number), EventPoint::shout($queue), queue: $queue);
}

for ($database = null;;) {
    try {
        $database ??= connect($dsn);
        $database->beginTransaction();
        $queue = 'q/' . mt_rand(0, (int) $queues - 1);
        for ($events = mt_rand(1, 3); $events > 0; $events--) {
            addOne($database, $outbox, $queue);
        }
        if (mt_rand(0, 3) === 0) {
            $database->rollBack();
        } else {
            $database->commit();
            $outbox->ring();
        }
        usleep(mt_rand(0, 2 * (int) $pause));
    } catch (Throwable $error) {
        fwrite(STDERR, "{$error->getMessage()}\n");
        $database = null;
        usleep(20_000);
    }
}
