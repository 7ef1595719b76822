<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\TransportFailure;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Tests\Support\FakeTransport;
use EsWebNotify\Tests\Support\FpmPool;
use EsWebNotify\Tests\Support\ScriptedPeer;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Tests\Support\UnusedPort;
use EsWebNotify\Tests\Support\Wait;
use EsWebNotify\Tests\Support\WebServer;
use PHPUnit\Framework\TestCase;

/** Events that are sent when the page has been answered, with real php-fpm and commands of their own. */
final class AfterResponseTest extends TestCase
{
    private const PAGE = __DIR__ . '/../support/site/after-response.php';
    private const COMMAND = __DIR__ . '/../support/after-response-command.php';
    private const SENT = '{"events":[{"status":200,"id":"7-9","receivers":0,"ep":[]},{"status":200,"id":"7-10","receivers":0,"ep":[]}]}';

    private TemporaryDirectory $directory;
    /** @var list<FpmPool|WebServer|ScriptedPeer> */
    private array $servers = [];

    protected function setUp(): void
    {
        $this->directory = new TemporaryDirectory();
        mkdir($this->directory->path . '/sessions', 0700);
    }

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->stop();
        }
        $this->directory->remove();
    }

    public function testAPageOfPhpFpmIsAnsweredBeforeItsEventsAreSent(): void
    {
        $peer = $this->peer([['body' => self::SENT, 'hold' => true]]);
        $answer = $this->fpm($peer->url)->request('GET', realpath(self::PAGE), '');

        // All of it is here, while the broker has not answered.
        self::assertSame([200, 'the page, and its end'], [$answer['status'], $answer['body']]);
        Wait::until(static fn (): bool => count($peer->requests()) === 1, 'the batch');
        self::assertSame(['placed', 'seen'], self::types($peer));
        $session = fopen($this->directory->path . '/sessions/sess_page', 'r+');
        Wait::until(static fn (): bool => flock($session, LOCK_EX | LOCK_NB), 'the session, which the next page needs');
        self::assertSame('visits|i:1;', stream_get_contents($session));
        flock($session, LOCK_UN);
        $peer->release();
    }

    public function testADeadBrokerIsFoundBehindTheAnswerAndNotAskedByTheNextPage(): void
    {
        $unused = new UnusedPort();
        $pool = $this->fpm($unused->url, ['error_log' => $this->log()], timeLimit: 0.1);
        $page = static fn (): string => $pool->request('GET', realpath(self::PAGE), '')['body'];

        self::assertSame('the page, and its end', $page());
        $memory = $this->directory->path . '/down';
        Wait::until(static function () use ($memory): bool {
            clearstatcache();
            return is_file($memory);
        }, 'the mark of a broker that is down');
        self::assertSame('the page, and its end', $page());
        self::assertSame('the page, and its end', $page());
        self::assertSame(1, substr_count((string) file_get_contents($this->log()), 'was not reached'));
    }

    public function testWhereAnAnswerCannotBeEndedEarlyItIsSentAsFarAsItGoes(): void
    {
        $peer = $this->peer([['body' => self::SENT]]);
        $site = $this->servers[] = new WebServer(
            dirname(self::PAGE),
            $this->directory->path . '/web.log',
            ['session.save_path' => $this->directory->path . '/sessions'],
            $this->environment($peer->url),
        );

        self::assertSame('the page, and its end', file_get_contents("{$site->url}/after-response.php"));
        Wait::until(static fn (): bool => count($peer->requests()) === 1, 'the batch');
        self::assertSame(['placed', 'seen'], self::types($peer));
    }

    /** @dataProvider endings */
    public function testACommandSendsWhenItEnds(string $manner, int $status): void
    {
        $peer = $this->peer([['body' => self::SENT]]);

        self::assertSame([$status, 'done'], $this->command($manner, $peer->url));
        self::assertCount(1, $peer->requests());
        self::assertSame(['first'], self::types($peer));
    }

    /** @return array<string, array{string, int}> */
    public function endings(): array
    {
        return ['by itself' => ['return', 0], 'by exit' => ['exit', 3], 'by an error' => ['throw', 255]];
    }

    public function testAForkedProcessSendsWhatIsItsOwn(): void
    {
        $peer = $this->peer([['body' => self::SENT], ['body' => self::SENT]]);
        $this->command('fork', $peer->url);

        self::assertSame([['child'], ['first', 'parent']], [self::types($peer, 0), self::types($peer, 1)]);
    }

    public function testWhoLivesLongSendsInBetween(): void
    {
        $transport = new FakeTransport(new HttpAnswer(200, [], self::SENT));
        $later = $this->emitter($transport)->afterResponse(memory: $this->memory());
        $later->emit(new Event('a'), EventPoint::shout('a'));
        $later->onBehalfOf('ana')->emit(new Event('b'), EventPoint::shout('a'));

        self::assertTrue($later->send());
        self::assertTrue($later->send(), 'there is nothing any more');
        self::assertCount(1, $transport->posts);
        self::assertSame(['a', 'b'], array_column(array_column($transport->body(0)['events'], 'e'), 'type'));
    }

    public function testNothingIsGatheredForEver(): void
    {
        $transport = new FakeTransport(new TransportFailure('refused', permanent: true));
        $later = $this->emitter($transport)->afterResponse(memory: $this->memory(), report: static fn () => null);
        for ($i = 0; $i < 2500; $i++) {
            $later->emit(new Event('a'), EventPoint::shout('a'));
        }

        self::assertCount(1000, $transport->body(0)['events']);
        self::assertCount(1, $transport->posts, 'then the broker is known to be down');
        $later->send();
    }

    public function testFaultsAreReportedAndNotThrown(): void
    {
        $reported = [];
        $report = static function (NotifyException $failure) use (&$reported): void {
            $reported[] = $failure::class;
        };
        $later = $this->emitter(new FakeTransport(new TransportFailure('refused', permanent: true)))
            ->afterResponse(report: $report, memory: $this->memory());
        $later->emit(new Event('a'));
        $later->emitOnce('', new Event('a'), EventPoint::shout('a'));
        $later->emit(new Event('a', NAN), EventPoint::shout('a'));
        $later->emit(new Event('b'), EventPoint::shout('a'));

        self::assertFalse($later->send());
        self::assertSame([InvalidEvent::class, InvalidEvent::class, InvalidEvent::class, BrokerUnreachable::class], $reported);
        self::assertTrue($later->send(), 'what could not be sent is gone');
    }

    private function emitter(FakeTransport $transport): Emitter
    {
        return new Emitter('https://broker.example/notify/event', transport: $transport);
    }

    private function memory(): FileDownMemory
    {
        return new FileDownMemory($this->directory->path . '/down', hold: 3600.0);
    }

    /** @param list<array<string, mixed>> $script */
    private function peer(array $script): ScriptedPeer
    {
        return $this->servers[] = new ScriptedPeer($script);
    }

    /** @param array<string, string> $settings */
    private function fpm(string $broker, array $settings = [], float $timeLimit = 3600.0): FpmPool
    {
        $settings += ['session.save_path' => $this->directory->path . '/sessions'];
        return $this->servers[] = new FpmPool($this->directory, $settings, $this->environment($broker, $timeLimit));
    }

    /** @return array<string, string> */
    private function environment(string $broker, float $timeLimit = 3600.0): array
    {
        return [
            'ESN_SITE_BROKER' => $broker,
            'ESN_SITE_MEMORY' => $this->directory->path . '/down',
            'ESN_SITE_TIME_LIMIT' => (string) $timeLimit,
        ];
    }

    private function log(): string
    {
        return $this->directory->path . '/php.log';
    }

    /** @return array{int, string} status and last line */
    private function command(string $manner, string $broker): array
    {
        $command = [PHP_BINARY, '-d', 'display_errors=0', self::COMMAND, $manner, $broker, $this->directory->path . '/down'];
        exec(implode(' ', array_map('escapeshellarg', $command)) . ' 2>/dev/null', $lines, $status);
        return [$status, end($lines)];
    }

    /** @return list<string> types of the events of one request */
    private static function types(ScriptedPeer $peer, int $request = 0): array
    {
        $body = json_decode($peer->requests()[$request]['body'], true, 16, JSON_THROW_ON_ERROR);
        return array_column(array_column($body['events'], 'e'), 'type');
    }
}
