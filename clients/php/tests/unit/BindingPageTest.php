<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Tests\Support\FpmPool;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Tests\Support\WebServer;
use PHPUnit\Framework\TestCase;

/** The binding server as a page, with PHP's real sessions. */
final class BindingPageTest extends TestCase
{
    private const SITE = __DIR__ . '/../support/site';

    private TemporaryDirectory $directory;
    private string $sessions;
    /** @var list<WebServer|FpmPool> */
    private array $servers = [];

    protected function setUp(): void
    {
        $this->directory = new TemporaryDirectory();
        $this->sessions = $this->directory->path . '/sessions';
        mkdir($this->sessions, 0700);
        $this->directory->file('private.pem', Keys::private());
    }

    protected function tearDown(): void
    {
        foreach ($this->servers as $server) {
            $server->stop();
        }
        $this->directory->remove();
    }

    public function testTheUserOfASession(): void
    {
        $site = $this->site();
        $ana = $this->get("$site/login.php?uid=ana&lang=es");
        $visitor = $this->get("$site/login.php?lang=es");
        $empty = $this->get("$site/login.php");
        $before = $this->sessionFiles();

        self::assertSame(self::says('"ana"', $ana), $this->ask($site, $this->key($ana)));
        self::assertSame(self::says('null', $visitor), $this->ask($site, $this->key($visitor)));
        self::assertSame(self::says('null', $empty), $this->ask($site, $this->key($empty)));
        self::assertSame(self::says('"ana"', $ana), $this->ask($site, $this->key($ana) . "\r\n"));
        self::assertSame($before, $this->sessionFiles());
    }

    public function testNoSessionIsEverMade(): void
    {
        $site = $this->site();
        $this->get("$site/login.php?uid=ana");
        $before = $this->sessionFiles();
        foreach (['unknownunknownunknown00', 'a', str_repeat('z', 200)] as $id) {
            self::assertSame('200 ""', $this->ask($site, $this->key($id)));
        }
        foreach (['', 'x', '../../x', '{"iat":1,"session_id":"a"}', str_repeat('A', 50_000)] as $body) {
            self::assertSame('200 ""', $this->ask($site, $body));
        }

        self::assertSame($before, $this->sessionFiles());
    }

    public function testASessionThatHasEndedIsNobodys(): void
    {
        $site = $this->site();
        $id = $this->get("$site/login.php?uid=ana");
        self::assertSame(self::says('"ana"', $id), $this->ask($site, $this->key($id)));
        $this->get("$site/logout.php?id=$id");

        self::assertSame('200 ""', $this->ask($site, $this->key($id)));
        self::assertSame([], $this->sessionFiles());
    }

    public function testAPageThatHoldsTheSessionIsNotWaitedForWithoutLimit(): void
    {
        $site = $this->site(environment: ['ESN_SITE_LOCK_LIMIT' => '0.1']);
        $id = $this->get("$site/login.php?uid=ana");
        $held = fopen("{$this->sessions}/sess_$id", 'r+');
        flock($held, LOCK_EX);

        self::assertSame('503 "__DONT__"', $this->ask($site, $this->key($id)));
        self::assertStringContainsString('session_write_close', $this->log());
        flock($held, LOCK_UN);
        self::assertSame(self::says('"ana"', $id), $this->ask($site, $this->key($id)));
    }

    public function testASessionThatCannotBeDecodedIsRefusedAndKept(): void
    {
        $site = $this->site(['session.serialize_handler' => 'php_serialize']);
        $id = $this->get("$site/login.php?uid=ana");
        file_put_contents("{$this->sessions}/sess_$id", 'nonsense');

        self::assertSame('503 "__DONT__"', $this->ask($site, $this->key($id)));
        self::assertStringContainsString('cannot be decoded', $this->log());
        self::assertSame('nonsense', file_get_contents("{$this->sessions}/sess_$id"));
    }

    public function testALinkInTheSessionDirectoryIsNotFollowed(): void
    {
        $site = $this->site();
        $elsewhere = $this->directory->file('elsewhere', 'uid|s:5:"admin";');
        symlink($elsewhere, "{$this->sessions}/sess_planted");

        self::assertSame('503 "__DONT__"', $this->ask($site, $this->key('planted')));
    }

    /**
     * @dataProvider setups
     *
     * @param array<string, string> $settings
     */
    public function testHoweverSessionsAreKept(array $settings): void
    {
        if (str_starts_with($settings['session.save_path'] ?? '', '1;')) {
            $settings['session.save_path'] = "1;0600;{$this->sessions}";
            foreach (str_split('0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,-') as $first) {
                mkdir("{$this->sessions}/$first");
            }
        }
        $site = $this->site($settings);
        $ana = $this->get("$site/login.php?uid=ana&list%5B%5D=1");
        $eva = $this->get("$site/login.php?uid=eva");
        $before = $this->sessionFiles();
        self::assertCount(2, $before);

        self::assertSame(self::says('"ana"', $ana), $this->ask($site, $this->key($ana)));
        self::assertSame(self::says('"eva"', $eva), $this->ask($site, $this->key($eva)));
        self::assertSame('200 ""', $this->ask($site, $this->key('unknownunknownunknown00')));
        self::assertSame($before, $this->sessionFiles());
    }

    /** @return array<string, array{array<string, string>}> */
    public function setups(): array
    {
        return [
            'format php' => [['session.serialize_handler' => 'php']],
            'format php_serialize' => [['session.serialize_handler' => 'php_serialize']],
            'format php_binary' => [['session.serialize_handler' => 'php_binary']],
            'strict mode' => [['session.use_strict_mode' => '1']],
            'directories by first character' => [['session.save_path' => '1;']],
            'cookies and cache headers as odd as can be' => [[
                'session.use_cookies' => '1', 'session.cache_limiter' => 'public', 'session.gc_probability' => '100',
            ]],
        ];
    }

    public function testTheApplicationsOwnSaveHandler(): void
    {
        $site = $this->site(environment: ['ESN_SITE_HANDLER' => 'own', 'ESN_SITE_SESSIONS' => $this->sessions]);
        $ana = $this->get("$site/login.php?uid=ana");
        $before = $this->sessionFiles();
        self::assertSame(["own_$ana"], array_keys($before));

        self::assertSame(self::says('"ana"', $ana), $this->ask($site, $this->key($ana)));
        self::assertSame('200 ""', $this->ask($site, $this->key('unknownunknownunknown00')));
        self::assertSame($before, $this->sessionFiles());
    }

    public function testSessionsThatStartByThemselvesAreSaid(): void
    {
        $site = $this->site(['session.auto_start' => '1']);

        self::assertSame('503 "__DONT__"', $this->ask($site, $this->key('abc')));
        self::assertStringContainsString('session.auto_start', $this->log());
    }

    public function testTheAnswersHeaders(): void
    {
        $site = $this->site();
        $id = $this->get("$site/login.php?uid=ana");
        $this->ask($site, $this->key($id), $headers);

        self::assertContains('Content-Type: application/json', $headers);
        self::assertContains('Cache-Control: no-store', $headers);
        self::assertSame([], preg_grep('/^set-cookie/i', $headers));
    }

    /** @dataProvider methods */
    public function testAnyMethodBehindPhpFpm(string $method): void
    {
        $settings = ['session.save_path' => $this->sessions];
        $pool = $this->servers[] = new FpmPool($this->directory, $settings, $this->environment());
        $this->directory->file('sessions/sess_abc', 'uid|s:3:"ana";');

        $answer = $pool->request($method, realpath(self::SITE) . '/binding.php', $this->key('abc'));
        self::assertSame(self::says('"ana"', 'abc'), "{$answer['status']} {$answer['body']}");
        $answer = $pool->request($method, realpath(self::SITE) . '/binding.php', $this->key('abd'));
        self::assertSame([200, '""'], [$answer['status'], $answer['body']]);
        self::assertSame(['sess_abc'], array_keys($this->sessionFiles()));
    }

    /** @return array<string, array{string}> */
    public function methods(): array
    {
        return ['RETREIVE' => ['RETREIVE'], 'POST' => ['POST'], 'PUT' => ['PUT'], 'GET' => ['GET']];
    }

    /**
     * @param array<string, string> $settings
     * @param array<string, string> $environment
     */
    private function site(array $settings = [], array $environment = []): string
    {
        $settings += [
            'session.save_path' => $this->sessions, 'log_errors' => '1', 'display_errors' => '1',
            'error_log' => $this->directory->path . '/php.log', 'session.gc_maxlifetime' => '100000',
        ];
        $log = $this->directory->path . '/web.log';
        $server = new WebServer(self::SITE, $log, $settings, $environment + $this->environment());
        $this->servers[] = $server;
        return $server->url;
    }

    /** @return array<string, string> */
    private function environment(): array
    {
        return ['ESN_SITE_KEY' => $this->directory->path . '/private.pem'];
    }

    private static function says(string $user, string $sessionId): string
    {
        return "200 {\"uid\":$user,\"sid\":\"session:" . hash('sha256', $sessionId) . '"}';
    }

    private function key(string $sessionId): string
    {
        return BindKeyMaker::fromPublicKey(Keys::public())->forSubscribing($sessionId);
    }

    private function get(string $url): string
    {
        return (string) file_get_contents($url);
    }

    private function ask(string $site, string $body, ?array &$headers = null): string
    {
        $context = stream_context_create(['http' => [
            'method' => 'POST', 'content' => $body, 'header' => 'Content-Type: text/plain', 'ignore_errors' => true,
        ]]);
        $answer = file_get_contents("$site/binding.php", false, $context);
        $headers = $http_response_header;
        return explode(' ', $http_response_header[0])[1] . ' ' . $answer;
    }

    private function log(): string
    {
        return (string) file_get_contents($this->directory->path . '/php.log');
    }

    /** @return array<string, array{string, int}> content and time of change of each, by name */
    private function sessionFiles(): array
    {
        $files = [];
        clearstatcache();
        foreach ($this->directory->files('/sessions') as $path) {
            $files[basename($path)] = [(string) file_get_contents($path), (int) filemtime($path)];
        }
        return $files;
    }
}
