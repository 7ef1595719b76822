<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use PHPUnit\Framework\TestCase;

final class ReportTest extends TestCase
{
    private const TAKEN = '{"id":"7-9","receivers":1,"ep":[]}';

    public function testAPostSaysThatAReportIsWanted(): void
    {
        $transport = new FakeTransport(new HttpAnswer(200, [], self::TAKEN), new HttpAnswer(200, [], self::TAKEN), new HttpAnswer(200, [], self::TAKEN));
        $emitter = self::emitter($transport);
        $point = EventPoint::user('ana', 'orders/1');

        $emitter->withReport()->emit(new Event('x'), $point);
        $emitter->withReport(within: 30)->emit(new Event('x'), $point);
        $emitter->emit(new Event('x'), $point);

        $bodies = array_map(static fn (array $post): array => json_decode($post['body'], true), $transport->posts);
        self::assertSame([true, ['within' => 30], 'none'], array_map(static fn (array $body): mixed => $body['report'] ?? 'none', $bodies));
    }

    public function testATimeThatIsNoneIsRefused(): void
    {
        $this->expectException(InvalidEvent::class);
        self::emitter(new FakeTransport())->withReport(within: 0);
    }

    public function testTheReportOfAnEvent(): void
    {
        $missing = '[{"connid":5,"uid":"ana","clid":"page","state":"open","ms":12},{"connid":6,"clid":"phone","state":"gone","ms":3}]';
        $transport = new FakeTransport(new HttpAnswer(200, [], "{\"id\":\"7-9\",\"sent\":4,\"had\":1,\"missing\":$missing,\"more\":2}"));

        $report = self::emitter($transport)->report('7-9');

        self::assertSame('http://broker.example/notify/event/7-9?token=x', $transport->posts[0]['url']);
        self::assertNull($transport->posts[0]['body']);
        self::assertSame(['7-9', 4, 1, 2, false], [$report->id, $report->sent, $report->had, $report->more, $report->isComplete()]);
        [$here, $gone] = $report->missing;
        self::assertSame([5, 'ana', 'page', true, 12], [$here->connection, $here->user, $here->client, $here->isOpen, $here->since]);
        self::assertSame([6, null, 'phone', false, 3], [$gone->connection, $gone->user, $gone->client, $gone->isOpen, $gone->since]);
    }

    public function testOneThatIsNotKnownIsNull(): void
    {
        $unknown = new HttpAnswer(404, [], '{"error":"No report of this event","detail":"..."}');
        self::assertNull(self::emitter(new FakeTransport($unknown))->report('7-9'));
    }

    /** @dataProvider failures */
    public function testWhatIsNoReportIsThrown(string $exception, HttpAnswer $answer): void
    {
        $this->expectException($exception);
        self::emitter(new FakeTransport($answer))->report('7-9');
    }

    /** @return array<string, array{class-string<\Throwable>, HttpAnswer}> */
    public function failures(): array
    {
        return [
            'a wrong token' => [Unauthorised::class, new HttpAnswer(404, [], '{"error":"Not found"}')],
            'not this publisher' => [Refused::class, new HttpAnswer(403, [], '{"error":"Not yours"}')],
            'no id' => [InvalidEvent::class, new HttpAnswer(400, [], '{"error":"Invalid id"}')],
            'a page' => [UnexpectedAnswer::class, new HttpAnswer(200, [], '<html>')],
            'half a report' => [UnexpectedAnswer::class, new HttpAnswer(200, [], '{"id":"7-9","sent":1}')],
            'an odd stream' => [UnexpectedAnswer::class, new HttpAnswer(200, [], '{"id":"7-9","sent":1,"had":0,"missing":[{"clid":7}]}')],
        ];
    }

    private static function emitter(FakeTransport $transport): Emitter
    {
        return new Emitter('http://broker.example/notify/event?token=x', transport: $transport, clock: new FakeClock());
    }
}
