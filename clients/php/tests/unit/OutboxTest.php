<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\NotStored;
use EsWebNotify\Outbox;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use PHPUnit\Framework\TestCase;

final class OutboxTest extends TestCase
{
    private \PDO $database;
    private TemporaryDirectory $folder;

    protected function setUp(): void
    {
        $this->database = new \PDO('sqlite::memory:');
        $this->database->exec((string) file_get_contents(__DIR__ . '/../../../../schema/outbox-sqlite.sql'));
        $this->folder = new TemporaryDirectory();
    }

    protected function tearDown(): void
    {
        $this->folder->remove();
    }

    public function testWhatIsLeftInTheTransaction(): void
    {
        $this->database->beginTransaction();
        (new Outbox(publisher: 'shop'))->add(
            $this->database,
            new Event('paid', ['ñ' => 1.0, 'to' => 'a/b']),
            EventPoint::shout('orders/7'),
            EventPoint::user('ana', 'orders'),
            queue: 'orders/7',
        );
        (new Outbox())->add($this->database, new Event('tick'), EventPoint::shout('clock'));
        $this->database->commit();

        self::assertSame([
            ['orders/7', 'shop', '{"ep":["orders/7",{"topic":"orders","to":["ana"]}],'
                . '"e":{"type":"paid","detail":{"\u00f1":1.0,"to":"a/b"}}}'],
            ['', '', '{"ep":["clock"],"e":{"type":"tick"}}'],
        ], $this->rows());
    }

    public function testNothingIsLeftOfWhatIsRolledBack(): void
    {
        $this->database->beginTransaction();
        (new Outbox())->add($this->database, new Event('x'), EventPoint::shout('a'));
        $this->database->rollBack();

        self::assertSame([], $this->rows());
    }

    public function testWithoutATransactionNothingIsAdded(): void
    {
        $this->assertRefused(NotStored::class, 'No transaction is open', begin: false, points: [EventPoint::shout('a')]);
    }

    public function testADatabaseThatRefusesIsSaidWhateverItsErrorMode(): void
    {
        $this->database->exec('DROP TABLE outgoing_events');
        foreach ([\PDO::ERRMODE_EXCEPTION, \PDO::ERRMODE_SILENT] as $mode) {
            $this->database->setAttribute(\PDO::ATTR_ERRMODE, $mode);
            $this->assertRefused(NotStored::class, 'no such table', points: [EventPoint::shout('a')]);
        }
    }

    public function testWhatIsWrongIsSaidAtOnce(): void
    {
        $this->assertRefused(InvalidEvent::class, 'at least one event point', points: []);
        $this->assertRefused(InvalidEvent::class, '255 bytes', points: [EventPoint::shout('a'), 'queue' => str_repeat('q', 256)]);
        $this->assertRefused(InvalidEvent::class, 'UTF-8 text', points: [EventPoint::shout('a'), 'queue' => "\xff"]);
        $this->assertRefused(InvalidEvent::class, 'queue', points: [EventPoint::shout('a'), 'queue' => EventPoint::shout('b')]);
        $this->assertRefused(InvalidEvent::class, '`queue:` alone', points: [EventPoint::shout('a'), 'kew' => 'q']);
        $this->assertRefused(InvalidEvent::class, '`queue:` alone', points: ['a']);
        $this->assertRefused(InvalidEvent::class, 'BindKeyMaker', points: [EventPoint::bound('a')]);
        $this->assertRefused(InvalidEvent::class, 'cannot be written as JSON', points: [EventPoint::shout('a')], detail: "\xff");
        self::assertSame([], $this->rows());
        $this->expectException(InvalidUser::class);
        (new Outbox())->onBehalfOf('*');
    }

    public function testBoundEventsHaveABindKey(): void
    {
        $outbox = new Outbox(BindKeyMaker::fromPublicKey(Keys::public()));
        $this->database->beginTransaction();
        try {
            $outbox->add($this->database, new Event('x'), EventPoint::bound('a'));
            self::fail('There is no publisher.');
        } catch (InvalidEvent $error) {
            self::assertStringContainsString('onBehalfOf()', $error->getMessage());
        }
        $outbox->onBehalfOf('ana')->add($this->database, new Event('x'), EventPoint::bound('a'));
        $this->database->commit();

        $body = json_decode($this->rows()[0][2], true);
        self::assertSame([['topic' => 'a', 'binded' => true]], $body['ep']);
        self::assertGreaterThan(300, strlen($body['bind_key']));
    }

    public function testTheDoorbellIsHeard(): void
    {
        $file = $this->folder->path . '/bell';
        foreach (["udg://$file" => "unix:$file", 'udp://127.0.0.1:0' => null] as $listen => $doorbell) {
            $bell = stream_socket_server($listen, $code, $reason, STREAM_SERVER_BIND);
            self::assertNotFalse($bell, $reason);
            self::assertTrue((new Outbox(doorbell: $doorbell ?? stream_socket_get_name($bell, false)))->ring());
            $ready = [$bell];
            $none = [];
            self::assertSame(1, stream_select($ready, $none, $none, 10));
        }
    }

    public function testNobodyAtTheDoorbellIsNoTrouble(): void
    {
        self::assertFalse((new Outbox(doorbell: null))->ring());
        self::assertFalse((new Outbox(doorbell: 'unix:' . $this->folder->path . '/nobody'))->ring());
        $file = $this->folder->path . '/deaf';
        $bell = stream_socket_server("udg://$file", $code, $reason, STREAM_SERVER_BIND);
        self::assertNotFalse($bell, $reason);
        // Nobody takes them: at some moment no more find room, and nothing waits for it.
        $outbox = new Outbox(doorbell: "unix:$file");
        for ($rings = 0; $rings < 100_000 && $outbox->ring(); $rings++) {
        }
        self::assertFalse($outbox->ring());
    }

    /** @return list<list<string>> */
    private function rows(): array
    {
        $rows = $this->database->query('SELECT queue, publisher, body FROM outgoing_events ORDER BY id');
        self::assertNotFalse($rows);
        return $rows->fetchAll(\PDO::FETCH_NUM);
    }

    /**
     * @param class-string<\Throwable>            $class
     * @param array<int|string, EventPoint|string> $points
     */
    private function assertRefused(string $class, string $words, array $points, mixed $detail = 1, bool $begin = true): void
    {
        if ($begin) {
            $this->database->beginTransaction();
        }
        try {
            (new Outbox())->add($this->database, new Event('x', $detail), ...$points);
            self::fail("It was added: $words");
        } catch (InvalidEvent | NotStored $error) {
            self::assertInstanceOf($class, $error);
            self::assertStringContainsString($words, $error->getMessage());
        }
        if ($begin) {
            $this->database->rollBack();
        }
    }
}
