<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Integration;

use EsWebNotify\Tests\Support\Stack;
use EsWebNotify\Tests\Support\Subscriber;
use PHPUnit\Framework\TestCase;

/** What docs/outbox.md says to try beside a quickstart. */
final class OutboxDemoTest extends TestCase
{
    public function testWhatIsCommittedIsHeardInItsOrderAndWhatIsRolledBackIsNot(): void
    {
        Stack::variable('ESN_OUTBOX_DSN', 'the database of the outbox');
        Stack::variable('ESN_OUTBOX_DOORBELL', 'where PHP rings');
        $topic = Stack::topic('outbox');
        $page = new Subscriber(Stack::baseUrl(), [$topic]);
        $demo = dirname(__DIR__, 4) . '/deploy/demo/outbox.php';
        exec(implode(' ', array_map('escapeshellarg', [PHP_BINARY, $demo, $topic])), $lines, $status);

        self::assertSame([0, ['Order 1 is paid and shipped; order 2 was rolled back.']], [$status, $lines]);
        self::assertSame(['type' => 'paid', 'detail' => ['order' => 1]], $page->next()['e']);
        self::assertSame(['type' => 'shipped', 'detail' => ['order' => 1]], $page->next()['e']);
    }
}
