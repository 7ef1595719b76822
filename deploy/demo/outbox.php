<?php

// An order whose transaction is committed, and one whose transaction is rolled back: of the first, pages hear, also when the broker is
// away just now. For the shell, beside a quickstart (docs/outbox.md).

declare(strict_types=1);

if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}
require dirname(__DIR__, 2) . '/clients/php/autoload.php';

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Outbox;

$topic = $argv[1] ?? 'orders';
$shop = new PDO(getenv('ESN_OUTBOX_DSN'), getenv('ESN_RIGHTS_USER') ?: null, getenv('ESN_RIGHTS_PASSWORD') ?: null);
$outbox = new Outbox(doorbell: getenv('ESN_OUTBOX_DOORBELL'));

$shop->beginTransaction();
// … what the page does
$outbox->add($shop, new Event('paid', ['order' => 1]), EventPoint::shout($topic), queue: 'orders/1');
$shop->commit();
$outbox->ring();

$shop->beginTransaction();
$outbox->add($shop, new Event('paid', ['order' => 2]), EventPoint::shout($topic), queue: 'orders/2');
$shop->rollBack();

$shop->beginTransaction();
$outbox->add($shop, new Event('shipped', ['order' => 1]), EventPoint::shout($topic), queue: 'orders/1');
$shop->commit();
echo $outbox->ring() ? "Order 1 is paid and shipped; order 2 was rolled back.\n" : "Nobody heard the doorbell: is esn-outbox there?\n";
