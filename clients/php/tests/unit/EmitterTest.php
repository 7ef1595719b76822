<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\TooManyEvents;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\TransportFailure;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\TimeLimits;
use EsWebNotify\TopicResult;
use PHPUnit\Framework\TestCase;

final class EmitterTest extends TestCase
{
    private const URL = 'https://broker.example/notify/event?token=hush-hush';

    private FakeClock $clock;

    protected function setUp(): void
    {
        $this->clock = new FakeClock();
    }

    public function testWhatIsPosted(): void
    {
        $transport = new FakeTransport(self::sent());
        $event = new Event('level', ['cm' => 1.0, 'ñ' => 'a/b']);
        $receipt = $this->emitter($transport, 'secret')
            ->emit($event, EventPoint::shout('a'), EventPoint::whisper('b', 3));

        self::assertSame('7-9', $receipt->id);
        $post = $transport->posts[0];
        self::assertSame(self::URL, $post['url']);
        self::assertContains('Authorization: Bearer secret', $post['headers']);
        self::assertContains('Content-Type: application/json', $post['headers']);
        self::assertMatchesRegularExpression(
            '~^\{"id":"[0-9a-f]{32}","ep":\["a",\{"topic":"b","whisper":3\}\],'
            . '"e":\{"type":"level","detail":\{"cm":1\.0,"ñ":"a/b"\}\}\}$~u',
            $post['body'],
        );
    }

    public function testThePositionIsAskedFor(): void
    {
        $transport = new FakeTransport(new HttpAnswer(503, [], ''), new HttpAnswer(200, [], '{"id":"7-9"}'));

        self::assertSame('7-9', $this->emitter($transport, 'secret')->position());
        self::assertNull($transport->posts[1]['body']);
        self::assertSame(self::URL, $transport->posts[1]['url']);
        self::assertSame(['Accept: application/json', 'Authorization: Bearer secret'], $transport->posts[1]['headers']);
    }

    public function testAPositionThatIsNoneIsNotTakenForOne(): void
    {
        $this->expectException(UnexpectedAnswer::class);
        $this->emitter(new FakeTransport(new HttpAnswer(200, [], '{"ep":[]}')))->position();
    }

    public function testWithoutATokenOfItsOwnNoneIsSent(): void
    {
        $transport = new FakeTransport(self::sent());
        $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'));

        self::assertSame([], preg_grep('/authorization/i', $transport->posts[0]['headers']));
    }

    public function testEachEventHasAnIdOfItsOwn(): void
    {
        $transport = new FakeTransport(self::sent());
        $emitter = $this->emitter($transport);
        $emitter->emit(new Event('t'), EventPoint::shout('a'));
        $emitter->emit(new Event('t'), EventPoint::shout('a'));
        $emitter->emitOnce('mine', new Event('t'), EventPoint::shout('a'));

        self::assertNotSame($transport->body(0)['id'], $transport->body(1)['id']);
        self::assertSame('mine', $transport->body(2)['id']);
    }

    public function testRetriesHaveTheSameIdAndAFreshBindKey(): void
    {
        $transport = new FakeTransport(self::status(503), new TransportFailure('reset'), self::sent());
        $this->bindingEmitter($transport)->onBehalfOf(42)->emit(new Event('t'), EventPoint::bound('a'));

        $bodies = array_map($transport->body(...), [0, 1, 2]);
        self::assertCount(3, $transport->posts);
        self::assertCount(1, array_unique(array_column($bodies, 'id')));
        self::assertCount(3, array_unique(array_column($bodies, 'bind_key')));
        self::assertCount(2, $this->clock->slept);
        foreach ($bodies as $body) {
            openssl_private_decrypt(base64_decode($body['bind_key'], true), $text, Keys::private());
            self::assertSame('42', json_decode($text, true)['uid']);
        }
    }

    /** @dataProvider notNow */
    public function testItIsTriedAgainWhen(HttpAnswer|TransportFailure $first): void
    {
        $transport = new FakeTransport($first, self::sent());
        $receipt = $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'));

        self::assertSame('7-9', $receipt->id);
        self::assertCount(2, $transport->posts);
    }

    /** @return array<string, array{HttpAnswer|TransportFailure}> */
    public function notNow(): array
    {
        return [
            'no connection' => [new TransportFailure('refused')],
            'too many events' => [self::status(429, ['retry-after' => '1'])],
            'handlers down' => [self::status(502)],
            'daemon down' => [self::status(503)],
            'gateway time-out' => [self::status(504)],
        ];
    }

    public function testTheTotalTimeLimitHolds(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused'));
        $limits = new TimeLimits(2.0, 0.4);
        try {
            $this->emitter($transport)->withTimeLimits($limits)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertLessThan(2.0, $this->clock->monotonic());
            self::assertSame(count($transport->posts), $failure->attempts);
            self::assertGreaterThan(3, $failure->attempts);
        }
        foreach ($transport->posts as $post) {
            self::assertLessThanOrEqual(0.4, $post['connect']);
        }
        $totals = array_column($transport->posts, 'total');
        self::assertSame(2.0, $totals[0]);
        // An attempt has a millisecond at least.
        self::assertEqualsWithDelta(max(0.001, 2.0 - $this->clock->monotonic()), end($totals), 1e-9);
    }

    public function testRetryAfterIsHonoured(): void
    {
        $transport = new FakeTransport(self::status(503, ['retry-after' => '2']), self::sent());
        $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'));

        self::assertSame([2.0], $this->clock->slept);
    }

    public function testItIsNotWaitedForWhatIsBeyondTheLimit(): void
    {
        $transport = new FakeTransport(self::status(503, ['retry-after' => '30']));
        try {
            $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertSame([503, 30, 1], [$failure->status, $failure->retryAfter, $failure->attempts]);
            self::assertSame([], $this->clock->slept);
        }
    }

    public function testTooManyEventsAreSaidWithWhatWasSent(): void
    {
        $body = '{"error":"Too many events","ep":[{"topic":"a","result":"sent","receivers":2,"id":"1-2"},'
            . '{"topic":"b","result":"too many events","receivers":0}]}';
        $transport = new FakeTransport(new HttpAnswer(429, ['retry-after' => '30'], $body));
        try {
            $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'), EventPoint::shout('b'));
            self::fail('It was said to be sent');
        } catch (TooManyEvents $failure) {
            self::assertSame([429, 30], [$failure->status, $failure->retryAfter]);
            $results = array_map(static fn (TopicResult $topic): string => $topic->result, $failure->results);
            self::assertSame([TopicResult::SENT, TopicResult::TOO_MANY_EVENTS], $results);
            self::assertCount(1, $transport->posts);
        }
    }

    public function testAnIdOfAnotherEventIsTheCallersFault(): void
    {
        $transport = new FakeTransport(self::status(409));
        $this->expectException(InvalidEvent::class);
        $this->expectExceptionMessage('another event with this id');
        $this->emitter($transport)->emitOnce('mine', new Event('t'), EventPoint::shout('a'));
    }

    public function testWhatCannotGetBetterIsNotTriedAgain(): void
    {
        $transport = new FakeTransport(new TransportFailure('bad certificate', permanent: true));
        try {
            $this->emitter($transport)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertStringContainsString('bad certificate', $failure->getMessage());
            self::assertCount(1, $transport->posts);
        }
    }

    public function testNoTokenInMessages(): void
    {
        $emitter = new Emitter(
            'https://user:pass@broker.example/event?token=hush-hush',
            'hush-too',
            transport: new FakeTransport(new TransportFailure('refused', permanent: true)),
        );
        try {
            $emitter->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertStringContainsString('https://broker.example/event ', $failure->getMessage());
            self::assertDoesNotMatchRegularExpression('/hush|pass/', $failure->getMessage());
        }
    }

    public function testAVisitorWithoutUserCanPublishBound(): void
    {
        $transport = new FakeTransport(self::sent());
        $this->bindingEmitter($transport)->onBehalfOf(null)->emit(new Event('t'), EventPoint::bound('a'));

        openssl_private_decrypt(base64_decode($transport->body(0)['bind_key'], true), $text, Keys::private());
        self::assertSame('[][][]', json_decode($text, true)['uid']);
    }

    public function testUnboundEventsCarryNoBindKey(): void
    {
        $transport = new FakeTransport(self::sent());
        $this->bindingEmitter($transport)->onBehalfOf('ana')->emit(new Event('t'), EventPoint::shout('a'));

        self::assertArrayNotHasKey('bind_key', $transport->body(0));
    }

    public function testOnBehalfOfLeavesTheEmitterAsItWas(): void
    {
        $emitter = $this->bindingEmitter(new FakeTransport(self::sent()));
        $emitter->onBehalfOf('ana');

        $this->expectException(InvalidEvent::class);
        $this->expectExceptionMessage('onBehalfOf');
        $emitter->emit(new Event('t'), EventPoint::bound('a'));
    }

    public function testAnImpossiblePublisherIsFoundAtOnce(): void
    {
        $this->expectException(InvalidUser::class);
        $this->emitter(new FakeTransport(self::sent()))->onBehalfOf('*');
    }

    /** @dataProvider invalid */
    public function testWhatIsInvalidIsNotPosted(callable $emit): void
    {
        $transport = new FakeTransport(self::sent());
        try {
            $emit($this->emitter($transport));
            self::fail('It was said to be sent');
        } catch (InvalidEvent $failure) {
            self::assertSame(0, $failure->status);
            self::assertSame([], $transport->posts);
        }
    }

    /** @return array<string, array{callable}> */
    public function invalid(): array
    {
        $a = EventPoint::shout('a');
        return [
            'no event point' => [static fn (Emitter $to) => $to->emit(new Event('t'))],
            'empty id' => [static fn (Emitter $to) => $to->emitOnce('', new Event('t'), $a)],
            'long id' => [static fn (Emitter $to) => $to->emitOnce(str_repeat('i', 201), new Event('t'), $a)],
            'text not UTF-8' => [static fn (Emitter $to) => $to->emit(new Event('t', "\xff"), $a)],
            'no number' => [static fn (Emitter $to) => $to->emit(new Event('t', NAN), $a)],
            'bound without keys' => [
                static fn (Emitter $to) => $to->onBehalfOf('ana')->emit(new Event('t'), $a, EventPoint::bound('b')),
            ],
        ];
    }

    private function emitter(FakeTransport $transport, ?string $token = null): Emitter
    {
        return new Emitter(self::URL, $token, transport: $transport, clock: $this->clock);
    }

    private function bindingEmitter(FakeTransport $transport): Emitter
    {
        $keys = new BindKeyMaker(RsaKey::public(Keys::public()), clock: $this->clock);
        return new Emitter(self::URL, null, $keys, transport: $transport, clock: $this->clock);
    }

    /** @param array<string, string> $headers */
    private static function status(int $status, array $headers = []): HttpAnswer
    {
        return new HttpAnswer($status, $headers, '');
    }

    private static function sent(): HttpAnswer
    {
        $body = '{"id":"7-9","receivers":2,"ep":[{"topic":"a","result":"sent","receivers":2}]}';
        return new HttpAnswer(200, [], $body);
    }
}
