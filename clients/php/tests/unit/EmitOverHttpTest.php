<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\CurlTransport;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\RawPeer;
use EsWebNotify\Tests\Support\ScriptedPeer;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Tests\Support\UnusedPort;
use EsWebNotify\TimeLimits;
use PHPUnit\Framework\TestCase;

final class EmitOverHttpTest extends TestCase
{
    private const SENT = '{"id":"7-9","receivers":2,"ep":[{"topic":"a/b","result":"sent","receivers":2}]}';
    private const REFUSED = '{"id":"","receivers":0,"ep":[{"topic":"a/b","result":"forbidden","receivers":0}]}';

    /** @var list<ScriptedPeer|RawPeer> */
    private array $peers = [];

    protected function tearDown(): void
    {
        foreach ($this->peers as $peer) {
            $peer->stop();
        }
    }

    public function testAPostAsThePeerSeesIt(): void
    {
        $peer = $this->scripted([['body' => self::SENT]]);
        $detail = ['text' => "'’ñ😀\u{2028}</script>", 'long' => str_repeat('x', 200_000)];
        $receipt = (new Emitter($peer->url . '?token=in-url', 'bearer'))
            ->emit(new Event('news', $detail), EventPoint::shout('a/b'));

        self::assertSame(2, $receipt->receivers);
        [$request] = $peer->requests();
        self::assertSame(['POST', '/event?token=in-url'], [$request['method'], $request['uri']]);
        self::assertSame('Bearer bearer', $request['headers']['authorization']);
        self::assertSame('application/json', $request['headers']['content-type']);
        self::assertArrayNotHasKey('expect', $request['headers']);
        self::assertSame(['type' => 'news', 'detail' => $detail], json_decode($request['body'], true)['e']);
    }

    public function testA503FollowedBya200IsASuccess(): void
    {
        $peer = $this->scripted([
            ['status' => 503, 'headers' => ['Retry-After: 0'], 'body' => '{"error":"no daemon"}'],
            ['body' => self::SENT],
        ]);
        $receipt = $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a/b'));

        self::assertSame('7-9', $receipt->id);
        $bodies = array_column($peer->requests(), 'body');
        self::assertCount(2, $bodies);
        self::assertSame($bodies[0], $bodies[1]);
    }

    public function testASlowPeerIsLeftAtTheTimeLimit(): void
    {
        $peer = $this->scripted([['hold' => true, 'body' => self::SENT]]);
        $emitter = new Emitter($peer->url, limits: new TimeLimits(0.3));
        try {
            $emitter->emit(new Event('t'), EventPoint::shout('a/b'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertSame(0, $failure->status);
            self::assertStringContainsString('curl ' . CURLE_OPERATION_TIMEDOUT, $failure->getMessage());
        }
    }

    public function testBrokenJsonIsNotTakenForAReceiptAndNotPostedAgain(): void
    {
        $peer = $this->scripted([['body' => substr(self::SENT, 0, -5)]]);
        try {
            $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a/b'));
            self::fail('It was said to be sent');
        } catch (UnexpectedAnswer $failure) {
            self::assertSame(200, $failure->status);
            self::assertCount(1, $peer->requests());
        }
    }

    public function testARefusalIsNotPostedAgain(): void
    {
        $peer = $this->scripted([['status' => 403, 'body' => self::REFUSED]]);
        try {
            $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a/b'));
            self::fail('It was said to be sent');
        } catch (Refused $failure) {
            self::assertSame(['forbidden'], array_column($failure->results, 'result'));
            self::assertCount(1, $peer->requests());
        }
    }

    public function testAWrongTokenIsSaid(): void
    {
        $peer = $this->scripted([['status' => 404, 'body' => 'Not Found']]);

        $this->expectException(Unauthorised::class);
        $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a/b'));
    }

    public function testARedirectIsNotFollowed(): void
    {
        $peer = $this->scripted([['status' => 302, 'headers' => ['Location: /elsewhere'], 'body' => '']]);
        try {
            $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a/b'));
            self::fail('It was said to be sent');
        } catch (UnexpectedAnswer $failure) {
            self::assertSame(302, $failure->status);
            self::assertCount(1, $peer->requests());
        }
    }

    public function testNobodyListens(): void
    {
        $unused = new UnusedPort();
        try {
            $this->insistent($unused->url)->emit(new Event('t'), EventPoint::shout('a/b'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertGreaterThan(1, $failure->attempts);
            self::assertStringContainsString('curl ' . CURLE_COULDNT_CONNECT, $failure->getMessage());
        }
    }

    /** @dataProvider brokenManners */
    public function testAConnectionThatBreaksIsTriedAgain(string $manner): void
    {
        $peer = $this->raw($manner);
        try {
            $this->insistent($peer->url)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertGreaterThan(1, $failure->attempts);
            self::assertGreaterThan(1, $peer->connections());
        }
    }

    /** @return array<string, array{string}> */
    public function brokenManners(): array
    {
        return ['closed without an answer' => ['hang-up'], 'closed in the answer' => ['cut']];
    }

    public function testAnAnswerWithoutEndIsCutOff(): void
    {
        $peer = $this->raw('endless');
        try {
            $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertStringContainsString('longer', $failure->getMessage());
            self::assertSame(1, $failure->attempts);
        }
    }

    /** @dataProvider badAddresses */
    public function testAnAddressThatCannotBeIsNotTriedAgain(string $url): void
    {
        try {
            $this->patient($url)->emit(new Event('t'), EventPoint::shout('a'));
            self::fail('It was said to be sent');
        } catch (BrokerUnreachable $failure) {
            self::assertSame(1, $failure->attempts);
        }
    }

    /** @return array<string, array{string}> */
    public function badAddresses(): array
    {
        return ['a file' => ['file:///etc/hostname'], 'no scheme known' => ['gopher://x/'], 'nonsense' => ['http://']];
    }

    public function testOneConnectionServesAllEmittersOfTheProcess(): void
    {
        $peer = $this->raw('keep-alive');
        for ($post = 0; $post < 20; $post++) {
            $this->patient($peer->url)->emit(new Event('t', $post), EventPoint::shout('a'));
        }

        self::assertSame(1, $peer->connections());
    }

    public function testACertificateIsChecked(): void
    {
        $directory = new TemporaryDirectory();
        try {
            [$certificate, $key] = self::certificateFor('127.0.0.1', $directory);
            $trusted = $directory->file('trusted.pem', $certificate);
            $peer = $this->raw('keep-alive', $directory->file('server.pem', $certificate . $key));
            try {
                $this->patient($peer->url)->emit(new Event('t'), EventPoint::shout('a'));
                self::fail('A certificate that nobody vouches for was taken');
            } catch (BrokerUnreachable $failure) {
                self::assertSame(1, $failure->attempts);
                self::assertStringContainsString('certificate', $failure->getMessage());
            }
            $limits = new TimeLimits(60.0, 30.0);
            $trusting = new Emitter($peer->url, limits: $limits, transport: new CurlTransport($trusted));
            self::assertSame('1-1', $trusting->emit(new Event('t'), EventPoint::shout('a'))->id);
        } finally {
            $directory->remove();
        }
    }

    public function testAForkedProcessHasAConnectionOfItsOwn(): void
    {
        if (!function_exists('pcntl_fork')) {
            self::fail('This test needs the PHP extension pcntl');
        }
        $peer = $this->scripted([['body' => self::SENT], ['body' => self::SENT], ['body' => self::SENT]]);
        $emitter = $this->patient($peer->url);
        $emitter->emit(new Event('t', 'before'), EventPoint::shout('a'));
        $before = self::handleOf(CurlTransport::shared());
        $child = pcntl_fork();
        if ($child === 0) {
            $emitter->emit(new Event('t', 'child'), EventPoint::shout('a'));
            $isOwn = self::handleOf(CurlTransport::shared()) !== $before;
            // Ends without PHPUnit's own end.
            posix_kill(posix_getpid(), $isOwn ? SIGTERM : SIGKILL);
        }
        pcntl_waitpid($child, $status);
        $emitter->emit(new Event('t', 'parent'), EventPoint::shout('a'));

        self::assertSame(SIGTERM, pcntl_wtermsig($status));
        self::assertSame($before, self::handleOf(CurlTransport::shared()));
        $events = array_map(
            static fn (array $request): array => json_decode($request['body'], true)['e'],
            $peer->requests(),
        );
        self::assertSame(['before', 'child', 'parent'], array_column($events, 'detail'));
    }

    /** @return array{string, string} certificate and key, both PEM */
    private static function certificateFor(string $address, TemporaryDirectory $directory): array
    {
        $settings = "[req]\ndistinguished_name = name\n[name]\n[server]\nsubjectAltName = IP:$address\n";
        $options = [
            'config' => $directory->file('openssl.cnf', $settings),
            'private_key_bits' => 2048,
            'x509_extensions' => 'server',
            'digest_alg' => 'sha256',
        ];
        $pair = openssl_pkey_new($options);
        $request = openssl_csr_new(['commonName' => $address], $pair, $options);
        openssl_x509_export(openssl_csr_sign($request, null, $pair, 1, $options), $certificate);
        openssl_pkey_export($pair, $key, null, $options);
        return [$certificate, $key];
    }

    private static function handleOf(CurlTransport $transport): int
    {
        return spl_object_id((new \ReflectionProperty($transport, 'handle'))->getValue($transport));
    }

    /** With time enough for any machine. */
    private function patient(string $url): Emitter
    {
        return new Emitter($url, limits: new TimeLimits(60.0, 30.0));
    }

    /** Its pauses take no time, so that the number of attempts does not hang on the machine's speed. */
    private function insistent(string $url): Emitter
    {
        return new Emitter($url, limits: new TimeLimits(10.0, 5.0), clock: new FakeClock());
    }

    /** @param list<array{status?: int, headers?: list<string>, body?: string, hold?: bool}> $script */
    private function scripted(array $script): ScriptedPeer
    {
        return $this->peers[] = new ScriptedPeer($script);
    }

    private function raw(string $manner, ?string $certificate = null): RawPeer
    {
        return $this->peers[] = new RawPeer($manner, $certificate);
    }
}
