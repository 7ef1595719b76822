<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Exception\BindKeyRefused;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\AnswerReader;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\TopicResult;
use PHPUnit\Framework\TestCase;

final class AnswerReaderTest extends TestCase
{
    private const MIXED = '{"id":"1-2","receivers":5,"ep":[{"topic":"a","result":"sent","receivers":5},'
        . '{"topic":"b","result":"wrong password","receivers":0},{"topic":"c","result":"unregistered","receivers":0}]}';

    public function testAReceiptTellsWhatBecameOfEachEventPoint(): void
    {
        $receipt = (new AnswerReader())->read(new HttpAnswer(200, [], self::MIXED));

        self::assertSame(['1-2', 5], [$receipt->id, $receipt->receivers]);
        self::assertSame(['a', 'b', 'c'], array_column($receipt->topics, 'topic'));
        self::assertTrue($receipt->topics[0]->isSent());
        self::assertSame(5, $receipt->topics[0]->receivers);
        $refused = $receipt->refused();
        self::assertSame([TopicResult::WRONG_PASSWORD, TopicResult::UNREGISTERED], array_column($refused, 'result'));
    }

    /**
     * @dataProvider failures
     *
     * @param class-string<NotifyException> $class
     */
    public function testFailuresSayWhatHappened(int $status, string $body, string $class, string $message): void
    {
        try {
            (new AnswerReader())->read(new HttpAnswer($status, [], $body));
            self::fail('It was taken for a receipt');
        } catch (NotifyException $failure) {
            self::assertInstanceOf($class, $failure);
            self::assertSame($status, $failure->status);
            self::assertStringContainsString($message, $failure->getMessage());
        }
    }

    /** @return array<string, array{int, string, class-string<NotifyException>, string}> */
    public function failures(): array
    {
        return [
            'invalid' => [400, '{"error":"Topic missing"}', InvalidEvent::class, 'Topic missing'],
            'invalid, with detail' => [
                400, '{"error":"Invalid object","detail":"e is missing"}', InvalidEvent::class,
                'Invalid object (e is missing).',
            ],
            'invalid, no reason' => [400, '<html>', InvalidEvent::class, 'HTTP 400'],
            'invalid, odd reason' => [400, '{"error":{"a":1}}', InvalidEvent::class, 'HTTP 400'],
            'too large' => [413, '{"error":"Body too large"}', InvalidEvent::class, 'Body too large'],
            'bind key' => [400, '{"error":"Invalid Bind Key"}', BindKeyRefused::class, 'bind key'],
            'no token' => [404, '', Unauthorised::class, 'token'],
            'not authorised' => [401, '', Unauthorised::class, 'token'],
            'reserved topic' => [403, '{"error":"Reserved topic"}', Refused::class, 'Reserved topic'],
            'forbidden by somebody else' => [403, '<html>', Refused::class, 'HTTP 403'],
            'redirect' => [302, '', UnexpectedAnswer::class, '302'],
            'fault' => [500, '{"error":"x"}', UnexpectedAnswer::class, '500'],
            'broken JSON' => [200, '{"id":"1-2","receivers":', UnexpectedAnswer::class, 'address'],
            'empty' => [200, '', UnexpectedAnswer::class, 'address'],
            'a list' => [200, '[1]', UnexpectedAnswer::class, 'address'],
            'a page' => [200, '<html>Log in</html>', UnexpectedAnswer::class, 'address'],
            'other JSON' => [200, '{"status":"ok"}', UnexpectedAnswer::class, 'address'],
            'no topics' => [200, '{"id":"1-2","receivers":5}', UnexpectedAnswer::class, 'address'],
            'odd topics' => [200, '{"id":"1-2","receivers":5,"ep":"a"}', UnexpectedAnswer::class, 'address'],
            'odd fields' => [200, '{"id":1,"receivers":"5","ep":[]}', UnexpectedAnswer::class, 'address'],
        ];
    }

    public function testARefusalHasTheResultOfEachTopic(): void
    {
        $body = '{"ep":[{"topic":"CASA/AGUA","result":"forbidden","receivers":0},'
            . '{"topic":"x","result":"unregistered","receivers":0},"nonsense",{"topic":1}]}';
        try {
            (new AnswerReader())->read(new HttpAnswer(403, [], $body));
            self::fail('It was taken for a receipt');
        } catch (Refused $failure) {
            self::assertSame(['forbidden', 'unregistered'], array_column($failure->results, 'result'));
            self::assertSame('Refused: "CASA/AGUA" forbidden, "x" unregistered', $failure->getMessage());
        }
    }

    public function testRetryAfterIsReadInSecondsAlone(): void
    {
        $read = static fn (array $headers): ?int => (new HttpAnswer(503, $headers, ''))->retryAfter();

        self::assertSame(3, $read(['retry-after' => '3']));
        self::assertNull($read([]));
        self::assertNull($read(['retry-after' => 'Wed, 21 Oct 2026 07:28:00 GMT']));
        self::assertNull($read(['retry-after' => '-1']));
        self::assertNull($read(['retry-after' => '99999999999999999999']));
    }
}
