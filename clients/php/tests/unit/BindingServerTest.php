<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Binding\BindingServer;
use EsWebNotify\Binding\SessionReader;
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

    /** @return array<string, array{string, array<string, mixed>}> */
    public function users(): array
    {
        return [
            'a user' => ['"ana"', ['uid' => 'ana', 'other' => 1]],
            'a user as number' => ['"42"', ['uid' => 42]],
            'characters' => ['"a \"\u00f1\" / \\\\"', ['uid' => 'a "ñ" / \\']],
            'no user' => ['"[][][]"', ['other' => 1]],
            'user null' => ['"[][][]"', ['uid' => null]],
            'user empty' => ['"[][][]"', ['uid' => '']],
            'empty session' => ['"[][][]"', []],
            'refused' => ['"__DONT__"', ['uid' => false]],
        ];
    }

    public function testTheApplicationsOwnFunction(): void
    {
        $userOf = static fn (array $session): string|false => $session['banned'] ? false : $session['user']['name'];

        $good = $this->server($userOf, ['banned' => false, 'user' => ['name' => 'ana']]);
        self::assertSame('"ana"', $good->answer($this->key()));
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

    private function server(\Closure|string $userOf, array $session): BindingServer
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
        return new BindingServer($reader, $userOf, $sessions);
    }

    private function key(float $age = 0.0, string $session = 'known'): string
    {
        $clock = new FakeClock(1_700_000_000.5 + $age);
        return (new BindKeyMaker(RsaKey::public(Keys::public()), clock: $clock))->forSubscribing($session);
    }
}
