<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BatchIncomplete;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\TooManyEvents;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\TransportFailure;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Receipt;
use EsWebNotify\Testing\RecordingEmitter;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Time\Backoff;
use EsWebNotify\TimeLimits;
use PHPUnit\Framework\TestCase;

final class BatchTest extends TestCase
{
    private FakeClock $clock;

    protected function setUp(): void
    {
        $this->clock = new FakeClock();
    }

    public function testWhatIsPosted(): void
    {
        $transport = new FakeTransport(self::answers(200, 200));
        $batch = $this->emitter($transport)->withReport()->batch()
            ->add(new Event('a', ['x' => 1.0]), EventPoint::shout('t'), EventPoint::whisper('u', 3))
            ->addOnce('mine', new Event('b'), EventPoint::shout('t'));
        self::assertCount(2, $batch);
        $receipts = $batch->send();

        self::assertSame(['1-0', '1-1'], array_column($receipts, 'id'));
        self::assertCount(0, $batch);
        self::assertSame([], $batch->send());
        self::assertCount(1, $transport->posts);
        self::assertContains('Authorization: Bearer secret', $transport->posts[0]['headers']);
        self::assertMatchesRegularExpression(
            '~^\{"events":\[\{"id":"[0-9a-f]{32}","ep":\["t",\{"topic":"u","whisper":3\}\],"e":\{"type":"a","detail":\{"x":1\.0\}\},"report":true\},'
            . '\{"id":"mine","ep":\["t"\],"e":\{"type":"b"\},"report":true\}\]\}$~',
            $transport->posts[0]['body'],
        );
    }

    public function testEachIsSaidByItsOwnUser(): void
    {
        $transport = new FakeTransport(self::answers(503, 200, 200), self::answers(200));
        $keys = new BindKeyMaker(RsaKey::public(Keys::public()), clock: $this->clock);
        $batch = $this->emitter($transport, bindKeys: $keys)->onBehalfOf('ana')->batch();
        $batch->add(new Event('a'), EventPoint::bound('t'));
        $batch->onBehalfOf('eva')->add(new Event('b'), EventPoint::bound('t'));
        $batch->add(new Event('c'), EventPoint::shout('t'));
        $batch->send();

        [$first, $second] = [$transport->body(0)['events'], $transport->body(1)['events']];
        self::assertSame(['ana', 'eva'], array_map(self::user(...), array_slice($first, 0, 2)));
        self::assertArrayNotHasKey('bind_key', $first[2]);
        self::assertSame('ana', self::user($second[0]));
        self::assertNotSame($first[0]['bind_key'], $second[0]['bind_key'], 'bind keys age');
    }

    public function testThoseThatTheBrokerCouldNotTakeAreSentAgainAndNoOthers(): void
    {
        $transport = new FakeTransport(
            new TransportFailure('reset'),
            self::answers(200, 503, 200, 429),
            self::answers(503, 200),
            self::answers(200),
        );
        $receipts = $this->filled($this->emitter($transport), 'abcd')->send();

        self::assertSame(['1-0', '1-0', '1-2', '1-1'], array_column($receipts, 'id'));
        self::assertSame(['abcd', 'abcd', 'bd', 'b'], array_map(static fn (int $i): string => self::types($transport, $i), [0, 1, 2, 3]));
        self::assertSame($transport->body(0)['events'][1], $transport->body(3)['events'][0], 'with the same id');
        self::assertCount(3, $this->clock->slept);
    }

    public function testWhatIsRefusedIsSaidOfEach(): void
    {
        $transport = new FakeTransport(self::answers(200, 403, 400, 409, 422));
        $batch = $this->filled($this->emitter($transport), 'abcde');
        try {
            $batch->send();
            self::fail('nothing was said');
        } catch (BatchIncomplete $failure) {
            self::assertCount(5, $failure->outcomes);
            self::assertInstanceOf(Receipt::class, $failure->outcomes[0]);
            self::assertSame(
                [1 => Refused::class, InvalidEvent::class, InvalidEvent::class, InvalidEvent::class],
                array_map(static fn (NotifyException $one): string => $one::class, $failure->failures()),
            );
            self::assertSame(403, $failure->status);
            self::assertStringStartsWith('4 of 5 events of a batch were not sent; the first of them, number 2: Refused', $failure->getMessage());
        }
        self::assertCount(5, $batch, 'it can be sent again');
        self::assertCount(1, $transport->posts);
    }

    public function testABrokerThatIsAwayIsSaidAsOfOneEvent(): void
    {
        foreach ([
            [new TransportFailure('refused', permanent: true), BrokerUnreachable::class, 1],
            [new HttpAnswer(404, [], '{"error":"Not found"}'), Unauthorised::class, 1],
            [new HttpAnswer(200, [], self::single()), UnexpectedAnswer::class, 1],
            [self::answers(503, 503), BrokerUnreachable::class, null],
            [self::answers(429, 429), TooManyEvents::class, null],
        ] as [$outcome, $class, $posts]) {
            $transport = new FakeTransport($outcome);
            try {
                $this->filled($this->emitter($transport), 'ab')->send();
                self::fail('nothing was said');
            } catch (NotifyException $failure) {
                self::assertInstanceOf($class, $failure);
                $posts === null ? self::assertGreaterThan(2, count($transport->posts)) : self::assertCount($posts, $transport->posts);
            }
        }
        self::assertLessThan(60.0, array_sum($this->clock->slept), 'as long as the limit lets it, and no longer');
    }

    public function testABatchThatEndsInTheMiddleGoesOnBehindIt(): void
    {
        $transport = new FakeTransport(
            new HttpAnswer(400, [], '{"error":"Too many events in a batch","detail":"x","events":[' . self::single() . ',' . self::single() . ']}'),
            new HttpAnswer(400, [], '{"error":"Invalid batch","detail":"a post of it is over [publish] max_body","events":[' . self::single() . ']}'),
            self::answers(200),
        );
        try {
            $this->filled($this->emitter($transport), 'abcde')->send();
            self::fail('nothing was said');
        } catch (BatchIncomplete $failure) {
            self::assertSame([3], array_keys($failure->failures()));
            self::assertStringContainsString('max_body', $failure->failures()[3]->getMessage());
        }
        self::assertSame(['abcde', 'cde', 'e'], array_map(static fn (int $i): string => self::types($transport, $i), [0, 1, 2]));
        self::assertSame([], $this->clock->slept);
    }

    public function testALargeBatchIsSentInPieces(): void
    {
        $transport = new FakeTransport(self::answers(...array_fill(0, 1000, 200)));
        $batch = $this->filled($this->emitter($transport), str_repeat('a', 2500));
        self::assertCount(2500, $batch->send());
        self::assertSame([1000, 1000, 500], array_map(static fn (int $i): int => count($transport->body($i)['events']), [0, 1, 2]));

        $transport = new FakeTransport(self::answers(200));
        $batch = $this->emitter($transport)->batch();
        foreach ([600_000, 1_200_000, 600_000] as $bytes) {
            $batch->add(new Event('x', str_repeat('x', $bytes)), EventPoint::shout('t'));
        }
        self::assertCount(3, $batch->send());
        self::assertCount(3, $transport->posts);
    }

    public function testAPieceThatIsRefusedWholeIsSaidOfEachOfItsEventsAndOfNoOthers(): void
    {
        $transport = new FakeTransport(
            new HttpAnswer(413, [], '{"error":"Too large"}'),
            self::answers(...array_fill(0, 2, 200)),
        );
        try {
            $this->filled($this->emitter($transport), str_repeat('a', 1002))->send();
            self::fail('nothing was said');
        } catch (BatchIncomplete $failure) {
            self::assertSame(range(0, 999), array_keys($failure->failures()));
            self::assertContainsOnlyInstancesOf(InvalidEvent::class, $failure->failures());
            self::assertCount(1002, $failure->outcomes);
        }
        self::assertCount(2, $transport->posts);
    }

    public function testAnAnswerThatIsTooShortClaimsNothing(): void
    {
        $this->expectException(BatchIncomplete::class);
        $this->filled($this->emitter(new FakeTransport(self::answers(200), self::answers(500))), 'ab')->send();
    }

    /** @dataProvider invalid */
    public function testWhatCannotBeAnEventIsNotAdded(\Closure $add): void
    {
        foreach ([$this->emitter(new FakeTransport(self::answers(200))), new RecordingEmitter()] as $broker) {
            $batch = $broker->batch();
            try {
                $add($batch);
                self::fail($broker::class . ' took it');
            } catch (InvalidEvent) {
                self::assertCount(0, $batch);
            }
        }
    }

    /** @return array<string, array{\Closure}> */
    public function invalid(): array
    {
        return [
            'no event point' => [static fn ($batch) => $batch->add(new Event('a'))],
            'an empty id' => [static fn ($batch) => $batch->addOnce('', new Event('a'), EventPoint::shout('t'))],
            'bound, without a user' => [static fn ($batch) => $batch->add(new Event('a'), EventPoint::bound('t'))],
            'no JSON' => [static fn ($batch) => $batch->add(new Event('a', NAN), EventPoint::shout('t'))],
        ];
    }

    public function testInQuietModeNothingIsThrown(): void
    {
        $directory = new TemporaryDirectory();
        $reported = [];
        $quiet = $this->emitter(new FakeTransport(self::answers(200, 403), self::answers(200, 200)))
            ->quiet(
                report: static function (NotifyException $failure) use (&$reported): void {
                    $reported[] = $failure::class;
                },
                memory: new FileDownMemory($directory->path . '/down', clock: $this->clock),
            );
        $batch = $this->filled($quiet, 'ab');

        self::assertFalse($batch->send());
        self::assertSame([BatchIncomplete::class], $reported);
        self::assertInstanceOf(BatchIncomplete::class, $quiet->lastFailure());
        self::assertCount(2, $batch->send());
        self::assertNull($quiet->lastFailure());
        $directory->remove();
    }

    public function testARecordingEmitterKeepsWhatWasSent(): void
    {
        $broker = new RecordingEmitter();
        $batch = $broker->batch();
        $batch->onBehalfOf('ana')->addOnce('mine', new Event('a'), EventPoint::bound('t'));
        $batch->add(new Event('b'), EventPoint::shout('t'));
        self::assertSame([], $broker->events());
        self::assertCount(2, $batch->send());
        $broker->afterResponse()->emit(new Event('c'), EventPoint::shout('t'));

        [$a, $b, $c] = $broker->events();
        self::assertSame(['a', 'mine', 'ana'], [$a->type(), $a->id, $a->publisher]);
        self::assertSame(['b', null, 'c'], [$b->type(), $b->id, $c->type()]);
        self::assertFalse($this->filled(new RecordingEmitter(false), 'ab')->send());
    }

    private function emitter(FakeTransport $transport, ?BindKeyMaker $bindKeys = null): Emitter
    {
        return new Emitter(
            'https://broker.example/notify/event',
            'secret',
            $bindKeys,
            new TimeLimits(5.0),
            $transport,
            $this->clock,
            new Backoff(random: static fn (): float => 0.5),
        );
    }

    private function filled(\EsWebNotify\EventEmitter $broker, string $types): \EsWebNotify\Batch
    {
        $batch = $broker->batch();
        foreach (str_split($types) as $type) {
            $batch->add(new Event($type), EventPoint::shout('t'));
        }
        return $batch;
    }

    private static function single(): string
    {
        return '{"status":200,"id":"1-0","receivers":0,"ep":[{"topic":"t","result":"sent","receivers":0,"id":"1-0"}]}';
    }

    private static function answers(int ...$statuses): HttpAnswer
    {
        $events = array_map(static fn (int $status, int $place): array => $status === 200
            ? ['status' => 200, 'id' => "1-$place", 'receivers' => 0, 'ep' => []]
            : ['status' => $status, 'error' => 'why', 'ep' => [['topic' => 't', 'result' => 'forbidden']]], $statuses, array_keys($statuses));
        return new HttpAnswer(200, [], json_encode(['events' => $events], JSON_THROW_ON_ERROR));
    }

    /** @param array{bind_key: string} $post */
    private static function user(array $post): string
    {
        openssl_private_decrypt(base64_decode($post['bind_key'], true), $text, Keys::private());
        return json_decode($text, true)['uid'];
    }

    private static function types(FakeTransport $transport, int $post): string
    {
        return implode('', array_column(array_column($transport->body($post)['events'], 'e'), 'type'));
    }
}
