<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\EventEmitter;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Testing\RecordingEmitter;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use PHPUnit\Framework\TestCase;

final class DropTest extends TestCase
{
    /** @dataProvider drops */
    public function testWhatIsPosted(string $expected, \Closure $drop): void
    {
        $transport = new FakeTransport(new HttpAnswer(200, [], '{"dropped":3}'));

        self::assertSame(3, $drop(self::emitter($transport)));
        self::assertSame('http://broker.example/notify/drop?token=x', $transport->posts[0]['url']);
        self::assertSame($expected, $transport->posts[0]['body']);
    }

    /** @return array<string, array{string, \Closure}> */
    public function drops(): array
    {
        $sid = 'session:' . hash('sha256', 'the-session');
        return [
            'a user' => ['{"uid":"ana"}', static fn (EventEmitter $broker) => $broker->drop('ana')],
            'a user for a while' => ['{"uid":"7","for":60}', static fn (EventEmitter $broker) => $broker->drop(user: 7, for: 60)],
            'a session' => ["{\"sid\":\"$sid\"}", static fn (EventEmitter $broker) => $broker->drop(session: 'the-session')],
            'a connection' => ['{"connid":7}', static fn (EventEmitter $broker) => $broker->drop(connection: 7)],
            'a user who may come back' => ['{"uid":"ana","for":0}', static fn (EventEmitter $broker) => $broker->drop('ana', for: 0)],
            'a name' => ['{"clid":"ñ/\""}', static fn (EventEmitter $broker) => $broker->drop(client: 'ñ/"')],
            'a logout' => ["{\"sid\":\"$sid\",\"for\":300}", static fn (EventEmitter $broker) => $broker->logout('the-session')],
        ];
    }

    /** @dataProvider impossible */
    public function testWhatIsRefusedWithoutAsking(string $exception, \Closure $drop): void
    {
        foreach ([self::emitter(new FakeTransport()), new RecordingEmitter()] as $broker) {
            try {
                $drop($broker);
                self::fail($broker::class . ' took it');
            } catch (InvalidEvent | InvalidUser | InvalidToken $refusal) {
                self::assertInstanceOf($exception, $refusal);
            }
        }
        self::assertSame([], $broker->dropped());
    }

    /** @return array<string, array{class-string, \Closure}> */
    public function impossible(): array
    {
        return [
            'nobody' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop()],
            'two' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop('ana', client: 'page')],
            'everybody' => [InvalidUser::class, static fn (EventEmitter $broker) => $broker->drop('*')],
            'for ever' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop('ana', for: 2_592_001)],
            'a past' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop('ana', for: -1)],
            'a connection for a while' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop(connection: 1, for: 1)],
            'no connection' => [InvalidEvent::class, static fn (EventEmitter $broker) => $broker->drop(connection: 0)],
            'no session' => [InvalidToken::class, static fn (EventEmitter $broker) => $broker->logout('')],
        ];
    }

    /** @dataProvider answers */
    public function testOtherAnswers(string $exception, HttpAnswer $answer): void
    {
        $this->expectException($exception);
        self::emitter(new FakeTransport($answer))->drop('ana');
    }

    /** @return array<string, array{class-string, HttpAnswer}> */
    public function answers(): array
    {
        return [
            'not allowed' => [Refused::class, new HttpAnswer(403, [], '{"error":"not yours"}')],
            'no token' => [Unauthorised::class, new HttpAnswer(404, [], '')],
            'invalid' => [InvalidEvent::class, new HttpAnswer(400, [], '{"error":"no"}')],
            'something else' => [UnexpectedAnswer::class, new HttpAnswer(200, [], '{"id":"7-9"}')],
            'a page' => [UnexpectedAnswer::class, new HttpAnswer(302, [], '')],
        ];
    }

    public function testAnAddressWithoutEvent(): void
    {
        $this->expectException(InvalidEvent::class);
        $this->expectExceptionMessage('http://x/post does not end in "/event"');
        (new Emitter('http://x/post?token=hush', transport: new FakeTransport()))->drop('ana');
    }

    public function testALogoutOfAPageThatHasToBeServed(): void
    {
        $directory = new TemporaryDirectory();
        try {
            $memory = new FileDownMemory($directory->path . '/down');
            $away = self::emitter(new FakeTransport(new HttpAnswer(503, ['retry-after' => '60'], '')));
            $quiet = $away->quiet(report: static fn () => null, memory: $memory);
            self::assertFalse($quiet->logout('the-session'));
            self::assertInstanceOf(BrokerUnreachable::class, $quiet->lastFailure());
        } finally {
            $directory->remove();
        }
    }

    public function testTheRecordingDouble(): void
    {
        $broker = new RecordingEmitter();
        self::assertSame(1, $broker->logout('the-session'));
        $broker->onBehalfOf('ana')->drop('eva', for: 9);

        [$logout, $drop] = $broker->dropped();
        self::assertSame(['the-session', 300], [$logout->session, $logout->for]);
        self::assertSame(['eva', 9], [$drop->user, $drop->for]);
        self::assertFalse((new RecordingEmitter(false))->drop('ana'));
        $this->expectException(BrokerUnreachable::class);
        (new RecordingEmitter(new BrokerUnreachable('gone')))->drop('ana');
    }

    private static function emitter(FakeTransport $transport): Emitter
    {
        return new Emitter('http://broker.example/notify/event?token=x', transport: $transport, clock: new FakeClock());
    }
}
