<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\BindKey\Padding;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Binding\BindingServer;
use EsWebNotify\Binding\Identity;
use EsWebNotify\Binding\SessionReader;
use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\Keys;
use PHPUnit\Framework\TestCase;

final class BindingServerTest extends TestCase
{
    /** @dataProvider users */
    public function testAnswers(string $expected, array $session): void
    {
        self::assertSame($expected, $this->server('uid', $session)->answer($this->key()));
    }

    public function testAnswersOfMoreThanAUser(): void
    {
        $identity = new Identity(7, ['orders/4711', 'shop/#'], ['chat/7'], ['name' => 'Ana'], 1_700_000_600.5);
        $answer = json_decode($this->server(static fn (): Identity => $identity, [])->answer($this->key()), true);

        self::assertSame([
            'uid' => '7', 'until' => 1_700_000_600.5, 'sid' => 'session:' . hash('sha256', 'known'), 'info' => ['name' => 'Ana'],
            'sub' => ['orders/4711', 'shop/#'], 'pub' => ['chat/7'],
        ], $answer);
        $this->expectException(InvalidToken::class);
        $this->server(static fn (): Identity => new Identity('ana', ['']), [])->answer($this->key());
    }

    /** @return array<string, array{string, array<string, mixed>}> */
    public function users(): array
    {
        return [
            'a user' => [self::ofUser('"ana"'), ['uid' => 'ana', 'other' => 1]],
            'a user as number' => [self::ofUser('"42"'), ['uid' => 42]],
            'characters' => [self::ofUser('"a \"\u00f1\" / \\\\"'), ['uid' => 'a "ñ" / \\']],
            'no user' => [self::ofUser('null'), ['other' => 1]],
            'user null' => [self::ofUser('null'), ['uid' => null]],
            'user empty' => [self::ofUser('null'), ['uid' => '']],
            'empty session' => [self::ofUser('null'), []],
            'refused' => ['"__DONT__"', ['uid' => false]],
        ];
    }

    private static function ofUser(string $user): string
    {
        return '{"uid":' . $user . ',"sid":"' . 'session:' . hash('sha256', 'known') . '"}';
    }

    public function testTheApplicationsOwnFunction(): void
    {
        $userOf = static fn (array $session): string|false => $session['banned'] ? false : $session['user']['name'];

        $good = $this->server($userOf, ['banned' => false, 'user' => ['name' => 'ana']]);
        self::assertSame(self::ofUser('"ana"'), $good->answer($this->key()));
        $banned = $this->server($userOf, ['banned' => true, 'user' => ['name' => 'eva']]);
        self::assertSame('"__DONT__"', $banned->answer($this->key()));
    }

    public function testOneAnswerForEveryInvalidKey(): void
    {
        $server = $this->server('uid', ['uid' => 'ana']);
        $another = new BindKeyMaker(RsaKey::public(Keys::public('second')), clock: new FakeClock());
        $invalid = [
            '', '""', 'x', str_repeat('A', 100_000), base64_encode(random_bytes(256)),
            $another->forSubscribing('known'), $this->key(-4.0), $this->key(1.0), $this->key(0.0, 'unknown'),
        ];
        foreach ($invalid as $key) {
            self::assertSame('""', $server->answer($key));
        }
    }

    /** @dataProvider refusals */
    public function testTheReasonIsForTheLogAlone(string $why, string $bindKey): void
    {
        $reasons = [];
        $server = $this->server('uid', ['uid' => 'ana'], static function (string $reason) use (&$reasons): void {
            $reasons[] = $reason;
        });

        self::assertSame('""', $server->answer($bindKey));
        self::assertCount(1, $reasons);
        self::assertStringStartsWith("bind key refused: $why", $reasons[0]);
        self::assertStringNotContainsString('unknown', $reasons[0]);
    }

    /** @return array<string, array{string, string}> */
    public function refusals(): array
    {
        $clock = new FakeClock(1_700_000_000.5);
        $other = new BindKeyMaker(RsaKey::public(Keys::public('second')), clock: $clock);
        $oaep = new BindKeyMaker(RsaKey::public(Keys::public()), Padding::Oaep, clock: $clock);
        $publishing = new BindKeyMaker(RsaKey::public(Keys::public()), clock: $clock);
        $pair = 'made with another key pair, or with another padding than Pkcs1';
        return [
            'nothing' => ['empty', ''],
            'no base64' => ['no base64', '*'],
            'too long' => ['longer than 4096 bytes', str_repeat('A', 5000)],
            'another pair' => [$pair, $other->forSubscribing('known')],
            'another padding' => [$pair, $oaep->forSubscribing('known')],
            'garbage' => [$pair, base64_encode(random_bytes(256))],
            'for publishing' => ['a key for publishing, not for subscribing', $publishing->forPublishing('ana')],
            'old' => ['expired by 4 s', $this->key(-7.0)],
            'new' => ['made 2 s in the future: the clocks differ', $this->key(2.0)],
            'no session' => ['there is no session of its id here', $this->key(0.0, 'unknown')],
        ];
    }

    /** @dataProvider impossibleUsers */
    public function testAUserWhoIsNoneIsNotAnswered(mixed $user): void
    {
        $this->expectException(InvalidUser::class);
        $this->server(static fn (array $session): mixed => $user, [])->answer($this->key());
    }

    /** @return array<string, array{mixed}> */
    public function impossibleUsers(): array
    {
        return ['everyone' => ['*'], 'every user' => ['+'], 'a list' => [['ana']], 'true' => [true], 'number' => [1.5]];
    }

    private function server(\Closure|string $userOf, array $session, ?\Closure $report = null): BindingServer
    {
        $sessions = new class ($session) implements SessionReader {
            public function __construct(private readonly array $session)
            {
            }

            public function read(string $sessionId): ?array
            {
                return $sessionId === 'known' ? $this->session : null;
            }
        };
        $reader = new BindKeyReader(RsaKey::private(Keys::private()), clock: new FakeClock());
        return new BindingServer($reader, $userOf, $sessions, $report ?? static fn (string $why) => null);
    }

    private function key(float $age = 0.0, string $session = 'known'): string
    {
        $clock = new FakeClock(1_700_000_000.5 + $age);
        return (new BindKeyMaker(RsaKey::public(Keys::public()), clock: $clock))->forSubscribing($session);
    }
}
