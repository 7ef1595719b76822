<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use PHPUnit\Framework\TestCase;

final class EventTest extends TestCase
{
    public function testAnAbsentDetailIsNotANullDetail(): void
    {
        self::assertSame('{"type":"tick"}', json_encode(new Event('tick')));
        self::assertSame('{"type":"tick","detail":null}', json_encode(new Event('tick', null)));
        self::assertSame('{"type":"tick","detail":null}', json_encode(new Event(type: 'tick', detail: null)));
        self::assertSame('{"type":"tick","detail":{"cm":[1,2]}}', json_encode(new Event('tick', ['cm' => [1, 2]])));
    }

    /** @dataProvider points */
    public function testEventPointsAsTheyGoOverTheWire(string $expected, EventPoint $point): void
    {
        self::assertSame(json_decode($expected, true), json_decode(json_encode($point), true));
    }

    /** @return array<string, array{string, EventPoint}> */
    public function points(): array
    {
        return [
            'shout' => ['"a/b"', EventPoint::shout('a/b')],
            'whisper' => ['{"topic":"a","whisper":7}', EventPoint::whisper('a', 7)],
            'largest id' => ['{"topic":"a","whisper":9007199254740991}', EventPoint::whisper('a', 2 ** 53 - 1)],
            'bound' => ['{"topic":"a","binded":true}', EventPoint::bound('a')],
            'password' => ['{"topic":"a","binded":true,"password":"p"}', EventPoint::bound('a', 'p')],
            'empty password' => ['{"topic":"a","binded":true,"password":""}', EventPoint::bound('a', '')],
            'bound whisper' => ['{"topic":"a","whisper":1,"binded":true}', EventPoint::bound('a')->onlyTo(1)],
            'except' => ['{"topic":"a","except":7}', EventPoint::shout('a')->except(7)],
            'private, except' => ['{"topic":"a","except":7,"private":true}', EventPoint::private('a')->except(7)],
            'keep' => ['{"topic":"a","keep":true}', EventPoint::shout('a')->keep()],
            'bound, except, keep' => [
                '{"topic":"a","keep":true,"except":7,"binded":true}',
                EventPoint::bound('a')->except(7)->keep(),
            ],
            'targeted' => ['{"topic":"a","binded":true,"targeted":true}', EventPoint::targeted('a')],
            'targeted, password' => [
                '{"topic":"a","binded":true,"password":"p","targeted":true}',
                EventPoint::targeted('a', 'p'),
            ],
        ];
    }

    /** @dataProvider invalidPoints */
    public function testInvalidEventPointsAreFoundHere(callable $make): void
    {
        $this->expectException(InvalidEvent::class);
        $make();
    }

    /** @return array<string, array{callable}> */
    public function invalidPoints(): array
    {
        return [
            'empty topic' => [static fn () => EventPoint::shout('')],
            'NUL' => [static fn () => EventPoint::bound("a\0b")],
            'not UTF-8' => [static fn () => EventPoint::targeted("a/\xff")],
            'negative connection' => [static fn () => EventPoint::whisper('a', -1)],
            'except nobody that can be' => [static fn () => EventPoint::shout('a')->except(-1)],
            'a whisper that is kept' => [static fn () => EventPoint::whisper('a', 1)->keep()],
            'a value that is whispered' => [static fn () => EventPoint::shout('a')->keep()->onlyTo(1)],
            'kept for users' => [static fn () => EventPoint::user('ana', 'a')->keep()],
            'kept in inboxes' => [static fn () => EventPoint::targeted('a')->keep()],
            'whisper and except' => [static fn () => EventPoint::whisper('a', 1)->except(2)],
            'except and whisper' => [static fn () => EventPoint::shout('a')->except(2)->onlyTo(1)],
            'connection beyond JavaScript' => [static fn () => EventPoint::whisper('a', 2 ** 53)],
        ];
    }

    public function testADumpShowsNoPassword(): void
    {
        ob_start();
        var_dump(EventPoint::bound('a/b', 'sesame'));
        $dump = (string) ob_get_clean();

        self::assertStringContainsString('a/b', $dump);
        self::assertStringNotContainsString('sesame', $dump);
    }
}
