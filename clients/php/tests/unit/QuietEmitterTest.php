<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\TooManyEvents;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\Transport;
use EsWebNotify\Http\TransportFailure;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Quiet\QuietEmitter;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\ScriptedPeer;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Tests\Support\UnusedPort;
use PHPUnit\Framework\TestCase;

final class QuietEmitterTest extends TestCase
{
    private const SENT = '{"id":"7-9","receivers":0,"ep":[{"topic":"a","result":"sent","receivers":0}]}';

    private FakeClock $clock;
    private TemporaryDirectory $directory;
    /** @var list<NotifyException> */
    private array $reported = [];

    protected function setUp(): void
    {
        $this->clock = new FakeClock();
        $this->directory = new TemporaryDirectory();
    }

    protected function tearDown(): void
    {
        $this->directory->remove();
    }

    public function testWhatIsSentHasAReceipt(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused', permanent: true), self::sent());
        $this->quiet($transport)->emit(new Event('lost'), EventPoint::shout('a'));
        self::assertCount(1, $this->reported);
        self::assertNotSame([], $this->directory->files());
        $this->clock->advance(5.1);
        $this->reported = [];
        $quiet = $this->quiet($transport);

        self::assertSame('7-9', $quiet->emit(new Event('t'), EventPoint::shout('a'))->id);
        self::assertCount(2, $transport->posts);
        self::assertNull($quiet->lastFailure());
        self::assertSame([], $this->reported);
        self::assertSame([], $this->directory->files());
    }

    public function testWhoPublishesTooMuchIsNotTakenForADownBroker(): void
    {
        $quiet = $this->quiet(new FakeTransport(new HttpAnswer(429, ['retry-after' => '30'], '{}'), self::sent()));

        self::assertFalse($quiet->emit(new Event('t'), EventPoint::shout('a')));
        self::assertInstanceOf(TooManyEvents::class, $quiet->lastFailure());
        self::assertSame('7-9', $quiet->emit(new Event('t'), EventPoint::shout('a'))->id);
    }

    public function testADownBrokerIsFoundOnceAndThenNotAsked(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused', permanent: true));
        $first = $this->quiet($transport);
        self::assertFalse($first->emit(new Event('t'), EventPoint::shout('a')));
        self::assertInstanceOf(BrokerUnreachable::class, $first->lastFailure());
        for ($page = 0; $page < 10; $page++) {
            $next = $this->quiet($transport);
            self::assertFalse($next->emit(new Event('t'), EventPoint::shout('a')));
            self::assertInstanceOf(BrokerUnreachable::class, $next->lastFailure());
        }

        self::assertCount(1, $transport->posts);
        self::assertCount(1, $this->reported);
    }

    public function testAfterAWhileOnePageTriesForAll(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused', permanent: true));
        $this->quiet($transport)->emit(new Event('t'), EventPoint::shout('a'));
        $this->clock->advance(5.1);

        self::assertTrue($this->memory()->mayTry());
        self::assertFalse($this->memory()->mayTry());
        self::assertFalse($this->quiet($transport)->emit(new Event('t'), EventPoint::shout('a')));
        self::assertCount(1, $transport->posts);
    }

    public function testABrokerThatIsBackIsUsedAtOnceByAll(): void
    {
        $down = new FakeTransport(new TransportFailure('refused', permanent: true));
        $this->quiet($down)->emit(new Event('t'), EventPoint::shout('a'));
        $this->clock->advance(5.1);

        $back = new FakeTransport(self::sent());
        self::assertNotFalse($this->quiet($back)->emit(new Event('t'), EventPoint::shout('a')));
        self::assertNotFalse($this->quiet($back)->emit(new Event('t'), EventPoint::shout('a')));
        self::assertSame([], $this->directory->files());
    }

    public function testARefusalShowsThatTheBrokerIsBack(): void
    {
        $this->quiet(new FakeTransport(new TransportFailure('x', permanent: true)))
            ->emit(new Event('t'), EventPoint::shout('a'));
        $this->clock->advance(5.1);
        $quiet = $this->quiet(new FakeTransport(new HttpAnswer(403, [], '{"error":"Reserved topic"}')));

        self::assertFalse($quiet->emit(new Event('t'), EventPoint::shout('@USER@')));
        self::assertInstanceOf(Refused::class, $quiet->lastFailure());
        self::assertTrue($this->memory()->mayTry());
    }

    public function testABrokerThatAsksForTimeIsGivenIt(): void
    {
        $this->quiet(new FakeTransport(new HttpAnswer(503, ['retry-after' => '20'], '')))
            ->emit(new Event('t'), EventPoint::shout('a'));

        $this->clock->advance(19.0);
        self::assertFalse($this->memory()->mayTry());
        $this->clock->advance(2.0);
        self::assertTrue($this->memory()->mayTry());
    }

    public function testMistakesAreReportedAndSayNothingOfTheBroker(): void
    {
        $transport = new FakeTransport(self::sent());
        $quiet = $this->quiet($transport);

        self::assertFalse($quiet->emit(new Event('t', NAN), EventPoint::shout('a')));
        self::assertFalse($quiet->emit(new Event('t'), EventPoint::bound('a')));
        self::assertInstanceOf(InvalidEvent::class, $quiet->lastFailure());
        self::assertCount(2, $this->reported);
        self::assertNotFalse($quiet->emitOnce('x', new Event('t'), EventPoint::shout('a')));
        self::assertSame('x', $transport->body(0)['id']);
    }

    public function testOnBehalfOfAUser(): void
    {
        $transport = new FakeTransport(self::sent());
        $keys = BindKeyMaker::fromPublicKey(Keys::public());
        $quiet = (new Emitter('http://broker.example/event', bindKeys: $keys, transport: $transport))
            ->quiet(memory: $this->memory())->onBehalfOf('ana');

        self::assertNotFalse($quiet->emit(new Event('t'), EventPoint::bound('a')));
        openssl_private_decrypt(base64_decode($transport->body(0)['bind_key'], true), $text, Keys::private());
        self::assertSame('ana', json_decode($text, true)['uid']);
    }

    public function testAPageWaitsAtMostItsShareOfTime(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused'));
        $this->quiet($transport)->emit(new Event('t'), EventPoint::shout('a'));

        self::assertLessThan(1.0, $this->clock->monotonic());
        self::assertSame(1.0, $transport->posts[0]['total']);
    }

    public function testWithoutAPlaceToRememberEachPageTries(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused', permanent: true));
        for ($page = 0; $page < 2; $page++) {
            $memory = new FileDownMemory($this->directory->path . '/missing/down', clock: $this->clock);
            self::assertFalse($this->quiet($transport, $memory)->emit(new Event('t'), EventPoint::shout('a')));
        }

        self::assertCount(2, $transport->posts);
    }

    /** @dataProvider oddMemories */
    public function testAMemoryThatMakesNoSenseIsNotBelieved(string $content): void
    {
        $this->directory->file('down', $content);

        self::assertTrue($this->memory()->mayTry());
    }

    /** @return array<string, array{string}> */
    public function oddMemories(): array
    {
        return ['empty' => [''], 'words' => ['down'], 'of a clock that was ahead' => ['1700009999.000']];
    }

    public function testAMemoryOfAnotherUserIsNotBelieved(): void
    {
        $file = $this->directory->file('down', '4000000');
        $clock = new FakeClock(3_999_996.0);
        self::assertFalse((new FileDownMemory($file, 5.0, $clock))->mayTry());
        if (posix_geteuid() === 0) {
            chown($file, 65534);
        } else {
            // Only root can give a file away; the others take one of root's that holds a number.
            $file = '/proc/sys/kernel/pid_max';
            $clock = new FakeClock((float) file_get_contents($file) - 4.0);
        }
        self::assertTrue((new FileDownMemory($file, 5.0, $clock))->mayTry());
    }

    public function testPagesAreServedByRealProcessesWhileTheBrokerIsDown(): void
    {
        $unused = new UnusedPort();
        $memory = $this->directory->path . '/down';
        $page = <<<'PHP'
            require $argv[1];
            $memory = new EsWebNotify\Quiet\FileDownMemory($argv[3], 3600.0);
            $emitter = new EsWebNotify\Emitter($argv[2], limits: new EsWebNotify\TimeLimits(60.0, 30.0));
            $quiet = $emitter->quiet((float) $argv[4], static fn () => print('reported '), $memory);
            $sent = $quiet->emit(new EsWebNotify\Event('t'), EsWebNotify\EventPoint::shout('a'));
            echo $sent === false ? 'page without event' : 'sent';
            PHP;
        $outputs = [];
        foreach ([$unused->url, $unused->url] as $url) {
            $outputs[] = $this->runPage($page, $url, $memory, '0.3');
        }
        $peer = new ScriptedPeer([['body' => self::SENT]]);
        try {
            // Another page asks whoever is up now: by the memory it does not.
            $outputs[] = $this->runPage($page, $peer->url, $memory, '60');
            self::assertSame([], $peer->requests());
            unlink($memory);
            $outputs[] = $this->runPage($page, $peer->url, $memory, '60');
        } finally {
            $peer->stop();
        }

        self::assertSame(
            ['reported page without event', 'page without event', 'page without event', 'sent'],
            $outputs,
        );
    }

    public function testWithoutAnySettingsOnePageLogsAndTheOthersKnow(): void
    {
        $unused = new UnusedPort();
        $page = <<<'PHP'
            require $argv[1];
            $quiet = (new EsWebNotify\Emitter($argv[2] . '?token=hush'))->quiet();
            var_dump($quiet->emit(new EsWebNotify\Event('t'), EsWebNotify\EventPoint::shout('a')));
            echo $quiet->lastFailure()->getMessage();
            PHP;
        $first = $this->runPage($page, $unused->url);
        $second = $this->runPage($page, $unused->url);

        self::assertStringContainsString('es-web-notify: The broker at http://127.0.0.1:', $first);
        self::assertStringNotContainsString('hush', $first);
        self::assertSame("bool(false)\nThe broker was found to be down a moment ago.", $second);
        self::assertCount(1, $this->directory->files());
    }

    private function runPage(string $code, string ...$arguments): string
    {
        $autoload = dirname(__DIR__, 2) . '/autoload.php';
        $process = proc_open(
            [PHP_BINARY, '-d', 'log_errors=1', '-d', 'error_log=', '-r', $code, '--', $autoload, ...$arguments],
            [1 => ['pipe', 'w'], 2 => ['redirect', 1]],
            $pipes,
            null,
            ['TMPDIR' => $this->directory->path] + getenv(),
        );
        $output = stream_get_contents($pipes[1]);
        proc_close($process);
        return (string) $output;
    }

    private function quiet(Transport $transport, ?FileDownMemory $memory = null): QuietEmitter
    {
        $report = function (NotifyException $failure): void {
            $this->reported[] = $failure;
        };
        return (new Emitter('http://broker.example/event', transport: $transport, clock: $this->clock))
            ->quiet(1.0, $report, $memory ?? $this->memory());
    }

    private function memory(): FileDownMemory
    {
        return new FileDownMemory($this->directory->path . '/down', 5.0, $this->clock);
    }

    private static function sent(): HttpAnswer
    {
        return new HttpAnswer(200, [], self::SENT);
    }
}
