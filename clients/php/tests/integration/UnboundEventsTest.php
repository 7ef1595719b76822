<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Integration;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Http\CurlTransport;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Tests\Support\Stack;
use EsWebNotify\Tests\Support\Subscriber;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\TimeLimits;
use PHPUnit\Framework\TestCase;

final class UnboundEventsTest extends TestCase
{
    private Emitter $emitter;
    private string $baseUrl;

    protected function setUp(): void
    {
        $this->baseUrl = Stack::baseUrl();
        $this->emitter = new Emitter(Stack::eventUrl(), limits: new TimeLimits(30.0, 10.0));
    }

    public function testAShoutReachesEverySubscriber(): void
    {
        $topic = Stack::topic('shout');
        $first = new Subscriber($this->baseUrl, [$topic]);
        $second = new Subscriber($this->baseUrl, ['other', $topic]);
        $receipt = $this->emitter->emit(new Event('level', ['cm' => 12]), EventPoint::shout($topic));

        self::assertSame(2, $receipt->receivers);
        self::assertNotSame('', $receipt->id);
        self::assertSame([], $receipt->refused());
        self::assertSame([$topic, 'sent', 2], array_values((array) $receipt->topics[0]));
        foreach ([$first, $second] as $subscriber) {
            $frame = $subscriber->next();
            self::assertSame(['requested' => $topic, 'emitted' => $topic], $frame['ep']);
            self::assertSame(['type' => 'level', 'detail' => ['cm' => 12]], $frame['e']);
        }
    }

    public function testAllButOneConnectionHearIt(): void
    {
        $topic = Stack::topic('except');
        $cause = new Subscriber($this->baseUrl, [$topic]);
        $other = new Subscriber($this->baseUrl, [$topic]);
        $receipt = $this->emitter->emit(new Event('moved'), EventPoint::shout($topic)->except($cause->connectionId()));
        $this->emitter->emit(new Event('for all'), EventPoint::shout($topic));

        self::assertSame(1, $receipt->receivers);
        self::assertSame(['type' => 'for all'], $cause->next()['e']);
        self::assertSame(['type' => 'moved'], $other->next()['e']);
    }

    public function testThePositionIsThatOfTheNewestEvent(): void
    {
        $receipt = $this->emitter->emit(new Event('x'), EventPoint::shout(Stack::topic('position')));

        self::assertSame($receipt->id, $this->emitter->position());
    }

    public function testAWhisperReachesOneConnectionAlone(): void
    {
        $topic = Stack::topic('whisper');
        $meant = new Subscriber($this->baseUrl, [$topic]);
        $other = new Subscriber($this->baseUrl, [$topic]);
        $receipt = $this->emitter->emit(new Event('secret'), EventPoint::whisper($topic, $meant->connectionId()));
        $this->emitter->emit(new Event('for all'), EventPoint::shout($topic));

        self::assertSame(1, $receipt->receivers);
        self::assertSame(['type' => 'secret'], $meant->next()['e']);
        self::assertSame(['type' => 'for all'], $meant->next()['e']);
        self::assertSame(['type' => 'for all'], $other->next()['e']);
    }

    public function testNobodyListening(): void
    {
        $topic = Stack::topic('nobody');
        $nobody = EventPoint::whisper($topic, 2 ** 53 - 1);
        $receipt = $this->emitter->emit(new Event('t'), EventPoint::shout($topic), $nobody);

        self::assertSame(0, $receipt->receivers);
        self::assertSame(['sent', 'sent'], array_column($receipt->topics, 'result'));
    }

    public function testAnIdIsDeliveredOnce(): void
    {
        $topic = Stack::topic('once');
        $subscriber = new Subscriber($this->baseUrl, [$topic]);
        $id = bin2hex(random_bytes(8));
        for ($time = 0; $time < 3; $time++) {
            $receipt = $this->emitter->emitOnce($id, new Event('t', 1), EventPoint::shout($topic));
            self::assertSame(1, $receipt->receivers);
        }
        $this->emitter->emit(new Event('end'), EventPoint::shout($topic));

        self::assertSame(['type' => 't', 'detail' => 1], $subscriber->next()['e']);
        self::assertSame(['type' => 'end'], $subscriber->next()['e']);
    }

    public function testManyEventsInOrderOverOneConnection(): void
    {
        $topic = Stack::topic('many');
        $subscriber = new Subscriber($this->baseUrl, [$topic]);
        $handle = (new \ReflectionProperty(CurlTransport::class, 'handle'));
        $ports = [];
        for ($number = 0; $number < 200; $number++) {
            $this->emitter->emit(new Event('n', $number), EventPoint::shout($topic));
            $ports[] = curl_getinfo($handle->getValue(CurlTransport::shared()), CURLINFO_LOCAL_PORT);
        }
        for ($number = 0; $number < 200; $number++) {
            self::assertSame($number, $subscriber->next()['e']['detail']);
        }
        // The web server closes a connection after so many requests; each post on its own would be 200.
        self::assertLessThanOrEqual(4, count(array_unique($ports)));
    }

    /** @dataProvider details */
    public function testDetailsArriveUnchanged(mixed $detail): void
    {
        $topic = Stack::topic('detail');
        $subscriber = new Subscriber($this->baseUrl, [$topic]);
        $this->emitter->emit(new Event("it's ''9''", $detail), EventPoint::shout($topic));

        self::assertSame(['type' => "it's ''9''", 'detail' => $detail], $subscriber->next()['e']);
    }

    /** @return array<string, array{mixed}> */
    public function details(): array
    {
        return [
            'null' => [null], 'false' => [false], 'zero' => [0], 'float' => [1.5], 'negative' => [-7],
            'empty' => [''], 'quotes' => ["''0''\"\\"], 'accents' => ["ñandú ’ 😀 \u{2028} \u{7f} \t\r\n"],
            'list' => [[1, [2, ['x' => null]], []]], 'long' => [str_repeat("ñ'", 50_000)],
            'markup' => ['</script><!-- & -->'], 'keys' => [['' => 1, "'" => 2, 'ñ' => 3]],
        ];
    }

    public function testSeveralEventPointsInOnePost(): void
    {
        $topic = Stack::topic('several');
        $subscriber = new Subscriber($this->baseUrl, ["$topic/+"]);
        $receipt = $this->emitter->emit(
            new Event('t'),
            EventPoint::shout("$topic/a"),
            EventPoint::shout("$topic/b"),
            EventPoint::whisper("$topic/c", $subscriber->connectionId()),
        );

        self::assertSame([1, 1, 1], array_column($receipt->topics, 'receivers'));
        $emitted = array_map(static fn (): string => $subscriber->next()['ep']['emitted'], [1, 2, 3]);
        self::assertSame(["$topic/a", "$topic/b", "$topic/c"], $emitted);
    }

    public function testTheTokenAsAHeader(): void
    {
        [$url, $query] = explode('?', Stack::eventUrl(), 2) + [1 => ''];
        parse_str($query, $fields);
        self::assertArrayHasKey('token', $fields, 'ESN_EVENT_URL has no token');
        $receipt = (new Emitter($url, $fields['token'], limits: new TimeLimits(30.0, 10.0)))
            ->emit(new Event('t'), EventPoint::shout(Stack::topic('header')));

        self::assertTrue($receipt->topics[0]->isSent());
    }

    public function testAWrongTokenIsUnauthorised(): void
    {
        $url = explode('?', Stack::eventUrl(), 2)[0];

        $this->expectException(Unauthorised::class);
        (new Emitter($url, 'wrong'))->emit(new Event('t'), EventPoint::shout('a'));
    }

    public function testReservedTopicsAreRefused(): void
    {
        $topic = Stack::topic('reserved');
        $subscriber = new Subscriber($this->baseUrl, [$topic]);
        try {
            $this->emitter->emit(new Event('t'), EventPoint::shout($topic), EventPoint::shout('@SERVER@/x'));
            self::fail('It was said to be sent');
        } catch (Refused $failure) {
            self::assertSame(403, $failure->status);
        }
        $this->emitter->emit(new Event('end'), EventPoint::shout($topic));
        self::assertSame(['type' => 'end'], $subscriber->next()['e']);
    }

    /** @dataProvider invalid */
    public function testWhatTheBrokerFindsInvalid(string $topic, callable $detail, int $status): void
    {
        try {
            $this->emitter->emit(new Event('t', $detail()), EventPoint::shout($topic));
            self::fail('It was said to be sent');
        } catch (InvalidEvent $failure) {
            self::assertSame($status, $failure->status);
        }
    }

    /** @return array<string, array{string, callable, int}> */
    public function invalid(): array
    {
        $deep = static fn (): array => array_reduce(range(1, 300), static fn (array $inner): array => [$inner], []);
        return [
            'deeply nested' => ['a', $deep, 400],
            'too large' => ['a', static fn (): string => str_repeat('x', 1_100_000), 413],
            'topic too long' => [str_repeat('a', 100_000), static fn () => null, 400],
        ];
    }

    public function testTheQuietModeHasAReceiptWhenAllIsWell(): void
    {
        $directory = new TemporaryDirectory();
        try {
            $memory = new FileDownMemory($directory->path . '/down');
            $quiet = $this->emitter->quiet(30.0, memory: $memory);
            $receipt = $quiet->emit(new Event('t'), EventPoint::shout(Stack::topic('quiet')));
            self::assertNotFalse($receipt);
            self::assertSame([], $directory->files());
        } finally {
            $directory->remove();
        }
    }
}
