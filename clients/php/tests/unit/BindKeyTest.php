<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\BindKey\Padding;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use PHPUnit\Framework\TestCase;

final class BindKeyTest extends TestCase
{
    private const SESSION = 'a1B2,-c3d4e5f6a1b2c3d4e5f6';

    private FakeClock $clock;

    protected function setUp(): void
    {
        $this->clock = new FakeClock(1_700_000_000.9);
    }

    /** @dataProvider paddings */
    public function testForPublishing(Padding $padding, int $openssl): void
    {
        $key = $this->maker($padding)->forPublishing('añá/"ana"');

        self::assertTrue(openssl_private_decrypt(base64_decode($key, true), $text, Keys::private(), $openssl));
        self::assertSame('{"iat":1700000000,"uid":"añá/\"ana\""}', $text);
    }

    /** @dataProvider paddings */
    public function testForSubscribing(Padding $padding, int $openssl): void
    {
        $key = $this->maker($padding)->forSubscribing(self::SESSION);

        self::assertTrue(openssl_private_decrypt(base64_decode($key, true), $text, Keys::private(), $openssl));
        self::assertSame('{"iat":1700000000,"session_id":"' . self::SESSION . '"}', $text);
        self::assertSame(self::SESSION, $this->reader($padding)->sessionId($key));
        self::assertSame(self::SESSION, $this->reader($padding)->sessionId("$key\n"));
    }

    /** @return array<string, array{Padding, int}> */
    public function paddings(): array
    {
        return [
            'PKCS#1 v1.5' => [Padding::Pkcs1, OPENSSL_PKCS1_PADDING],
            'OAEP' => [Padding::Oaep, OPENSSL_PKCS1_OAEP_PADDING],
        ];
    }

    public function testTwoKeysOfTheSameMomentDiffer(): void
    {
        self::assertNotSame($this->maker()->forPublishing('ana'), $this->maker()->forPublishing('ana'));
    }

    public function testUsersAsNumbersAndNobody(): void
    {
        $uid = static function (string $key): mixed {
            openssl_private_decrypt(base64_decode($key, true), $text, Keys::private());
            return json_decode($text, true)['uid'];
        };

        self::assertSame('42', $uid($this->maker()->forPublishing(42)));
        self::assertSame('[][][]', $uid($this->maker()->forPublishing(null)));
    }

    public function testNoKeyForAWildcard(): void
    {
        $this->expectException(InvalidUser::class);
        $this->maker()->forPublishing('+');
    }

    public function testNoKeyWithoutASession(): void
    {
        $this->expectException(KeyUnusable::class);
        $this->expectExceptionMessage('session_start');
        $this->maker()->forSubscribing('');
    }

    /** @dataProvider paddings */
    public function testTheLongestUserThatFits(Padding $padding): void
    {
        $room = 256 - $padding->overhead() - strlen('{"iat":1700000000,"uid":""}');
        self::assertSame(344, strlen($this->maker($padding)->forPublishing(str_repeat('x', $room))));

        $this->expectException(KeyUnusable::class);
        $this->expectExceptionMessage('do not fit');
        $this->maker($padding)->forPublishing(str_repeat('x', $room + 1));
    }

    /** @dataProvider ages */
    public function testAge(bool $isValid, float $secondsLater, int $skew): void
    {
        $key = $this->maker()->forSubscribing(self::SESSION);
        $later = new FakeClock(1_700_000_000.0 + $secondsLater);
        $reader = new BindKeyReader(RsaKey::private(Keys::private()), Padding::Pkcs1, 3, $skew, $later);

        self::assertSame($isValid ? self::SESSION : null, $reader->sessionId($key));
    }

    /** @return array<string, array{bool, float, int}> */
    public function ages(): array
    {
        return [
            'just made' => [true, 0.0, 0],
            'at the tolerance' => [true, 3.9, 0],
            'one second past it' => [false, 4.0, 0],
            'from the future' => [false, -0.1, 0],
            'past it, within the skew' => [true, 5.9, 2],
            'past both' => [false, 6.0, 2],
            'future within the skew' => [true, -2.0, 2],
            'future beyond the skew' => [false, -2.1, 2],
        ];
    }

    /** @dataProvider worthlessKeys */
    public function testAWorthlessKeyIsNoSession(callable $make): void
    {
        self::assertNull($this->reader()->sessionId($make()));
    }

    /** @return array<string, array{callable}> */
    public function worthlessKeys(): array
    {
        $seal = static function (string $text, string $to = 'first', int $padding = OPENSSL_PKCS1_PADDING): string {
            openssl_public_encrypt($text, $sealed, Keys::public($to), $padding);
            return base64_encode($sealed);
        };
        $good = '{"iat":1700000000,"session_id":"abc"}';
        $change = static function (string $key, int $at): string {
            $bytes = base64_decode($key);
            $bytes[$at] = $bytes[$at] ^ "\x01";
            return base64_encode($bytes);
        };
        $session = static fn (string $id): string => '{"iat":1700000000,"session_id":' . json_encode($id) . '}';
        return [
            'empty' => [static fn () => ''],
            'not base64' => [static fn () => '%%%'],
            'plain JSON' => [static fn () => $good],
            'base64 of JSON' => [static fn () => base64_encode($good)],
            'too long' => [static fn () => str_repeat('A', 100_000)],
            'another key' => [static fn () => $seal($good, 'second')],
            'another padding' => [static fn () => $seal($good, 'first', OPENSSL_PKCS1_OAEP_PADDING)],
            'truncated' => [static fn () => substr($seal($good), 0, -8)],
            'first bit flipped' => [static fn () => $change($seal($good), 0)],
            'last bit flipped' => [static fn () => $change($seal($good), 255)],
            'no JSON' => [static fn () => $seal('hello')],
            'a list' => [static fn () => $seal('[1700000000,"abc"]')],
            'no iat' => [static fn () => $seal('{"session_id":"abc"}')],
            'iat as text' => [static fn () => $seal('{"iat":"1700000000","session_id":"abc"}')],
            'iat not whole' => [static fn () => $seal('{"iat":1700000000.5,"session_id":"abc"}')],
            'iat huge' => [static fn () => $seal('{"iat":1e300,"session_id":"abc"}')],
            'a key for publishing' => [static fn () => $seal('{"iat":1700000000,"uid":"ana"}')],
            'session as number' => [static fn () => $seal('{"iat":1700000000,"session_id":12}')],
            'session empty' => [static fn () => $seal($session(''))],
            'session is a path' => [static fn () => $seal($session('../../etc/passwd'))],
            'session with line end' => [static fn () => $seal($session("abc\n"))],
            'session with NUL' => [static fn () => $seal($session("abc\0"))],
        ];
    }

    public function testNoErrorIsLeftBehindInOpenssl(): void
    {
        while (openssl_error_string() !== false) {
            continue;
        }
        $this->reader()->sessionId(base64_encode(random_bytes(256)));

        self::assertFalse(openssl_error_string());
    }

    public function testKeysFromFiles(): void
    {
        $directory = new TemporaryDirectory();
        try {
            $maker = BindKeyMaker::fromPublicKey($directory->file('public.pem', Keys::public()));
            $key = $maker->forSubscribing('abc');
            $reader = BindKeyReader::fromPrivateKey($directory->file('private.pem', Keys::private()), tolerance: 600);
            self::assertSame('abc', $reader->sessionId($key));
        } finally {
            $directory->remove();
        }
    }

    public function testAPrivateKeyWithPassphrase(): void
    {
        openssl_pkey_export(openssl_pkey_get_private(Keys::private()), $locked, 'open sesame');
        $key = BindKeyMaker::fromPublicKey(Keys::public())->forSubscribing('abc');
        $reader = BindKeyReader::fromPrivateKey($locked, tolerance: 600, passphrase: 'open sesame');
        self::assertSame('abc', $reader->sessionId($key));

        $this->expectException(KeyUnusable::class);
        BindKeyReader::fromPrivateKey($locked, passphrase: 'wrong');
    }

    /** @dataProvider unusable */
    public function testUnusableKeys(callable $make, string $message): void
    {
        $this->expectException(KeyUnusable::class);
        $this->expectExceptionMessage($message);
        $make();
    }

    /** @return array<string, array{callable, string}> */
    public function unusable(): array
    {
        $pem = '-----BEGIN PUBLIC KEY-----';
        $notRsa = static function (): string {
            $key = openssl_pkey_new(['curve_name' => 'prime256v1', 'private_key_type' => OPENSSL_KEYTYPE_EC]);
            return openssl_pkey_get_details($key)['key'];
        };
        return [
            'no such file' => [static fn () => RsaKey::public('/nowhere/key.pem'), '/nowhere/key.pem'],
            'broken PEM' => [static fn () => RsaKey::public($pem), 'no public key'],
            'private wanted' => [static fn () => RsaKey::private(Keys::public()), 'no private key'],
            'not RSA' => [static fn () => RsaKey::public($notRsa()), 'not an RSA key'],
            'read with public' => [static fn () => new BindKeyReader(RsaKey::public(Keys::public())), 'private key'],
        ];
    }

    private function maker(Padding $padding = Padding::Pkcs1): BindKeyMaker
    {
        return new BindKeyMaker(RsaKey::public(Keys::public()), $padding, $this->clock);
    }

    private function reader(Padding $padding = Padding::Pkcs1): BindKeyReader
    {
        return new BindKeyReader(RsaKey::private(Keys::private()), $padding, clock: $this->clock);
    }
}
