<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventEmitter;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Testing\RecordingEmitter;
use PHPUnit\Framework\TestCase;

final class RecordingEmitterTest extends TestCase
{
    public function testItKeepsWhatItWasGiven(): void
    {
        $broker = new RecordingEmitter();
        $receipt = self::order($broker, 'ana');

        self::assertSame([2, ['orders', 'orders/4711']], [$receipt->receivers, array_column($receipt->topics, 'topic')]);
        self::assertSame([], $receipt->refused());
        [$placed, $tick] = $broker->events();
        self::assertSame(['placed', ['id' => 4711]], [$placed->type(), $placed->detail()]);
        self::assertSame(['orders', 'orders/4711'], $placed->topics());
        self::assertSame(['order-4711', true, 'ana'], [$placed->id, $placed->onBehalf, $placed->publisher]);
        self::assertSame([null, false, null], [$tick->id, $tick->onBehalf, $tick->publisher]);
        self::assertNull($tick->detail());
        self::assertEquals([EventPoint::whisper('clock', 7)], $tick->points);
        self::assertSame([$placed], $broker->ofType('placed'));
        self::assertSame([$tick], $broker->on('clock'));
        self::assertSame([], $broker->on('nothing'));
    }

    public function testItFailsAsItIsTold(): void
    {
        $quiet = new RecordingEmitter(false);
        self::assertFalse($quiet->emit(new Event('t'), EventPoint::shout('a')));
        self::assertCount(1, $quiet->events());

        $this->expectException(BrokerUnreachable::class);
        (new RecordingEmitter(new BrokerUnreachable('gone')))->emit(new Event('t'), EventPoint::shout('a'));
    }

    /** @dataProvider invalid */
    public function testItRefusesWhatAnEmitterRefuses(\Closure $emit, string $exception): void
    {
        foreach ([new RecordingEmitter(), new Emitter('http://127.0.0.1:1/')] as $broker) {
            try {
                $emit($broker);
                self::fail($broker::class . ' took it');
            } catch (InvalidEvent | InvalidUser $refusal) {
                self::assertInstanceOf($exception, $refusal);
            }
        }
    }

    /** @return array<string, array{\Closure, class-string}> */
    public function invalid(): array
    {
        $event = new Event('t');
        return [
            'no point' => [static fn (EventEmitter $broker) => $broker->emit($event), InvalidEvent::class],
            'no id' => [static fn (EventEmitter $broker) => $broker->emitOnce('', $event, EventPoint::shout('a')), InvalidEvent::class],
            'a long id' => [
                static fn (EventEmitter $broker) => $broker->emitOnce(str_repeat('x', 201), $event, EventPoint::shout('a')),
                InvalidEvent::class,
            ],
            'no publisher' => [static fn (EventEmitter $broker) => $broker->emit($event, EventPoint::bound('a')), InvalidEvent::class],
            'everyone' => [static fn (EventEmitter $broker) => $broker->onBehalfOf('*'), InvalidUser::class],
        ];
    }

    public function testAllEmittersAreOfOneType(): void
    {
        $broker = new Emitter('http://127.0.0.1:1/');
        foreach ([$broker, $broker->quiet(), new RecordingEmitter()] as $emitter) {
            self::assertInstanceOf(EventEmitter::class, $emitter);
            self::assertInstanceOf($emitter::class, $emitter->onBehalfOf('ana'));
        }
    }

    /** An application's code, which knows the type alone. */
    private static function order(EventEmitter $broker, string $user): \EsWebNotify\Receipt|false
    {
        $points = [EventPoint::shout('orders'), EventPoint::bound('orders/4711')];
        $receipt = $broker->onBehalfOf($user)->emitOnce('order-4711', new Event('placed', ['id' => 4711]), ...$points);
        $broker->emit(new Event('tick'), EventPoint::whisper('clock', 7));
        return $receipt;
    }
}
