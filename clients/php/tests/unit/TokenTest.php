<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Token\JwtSigner;
use EsWebNotify\Token\TicketMaker;
use EsWebNotify\Token\TokenMaker;
use PHPUnit\Framework\TestCase;

final class TokenTest extends TestCase
{
    private const SECRET = 'a secret of 32 characters, exactly';

    public function testAnAccessToken(): void
    {
        $maker = new TokenMaker(JwtSigner::fromSecret(self::SECRET), 120, 'shop', 'notify', new FakeClock(1_700_000_000.25));
        $token = $maker->forUser('ana', ['orders/4711', 'shop/#'], ['chat/7'], ['name' => 'Ana ñ'], 'the-session', 'page');
        [$header, $claims] = self::read($token);

        self::assertSame(['alg' => 'HS256', 'typ' => 'JWT'], $header);
        self::assertSame([
            'sub' => 'ana', 'iat' => 1_700_000_000.25, 'exp' => 1_700_000_121, 'iss' => 'shop', 'aud' => 'notify',
            'sid' => 'session:' . hash('sha256', 'the-session'),
            'esn' => ['info' => ['name' => 'Ana ñ'], 'sub' => ['orders/4711', 'shop/#'], 'pub' => ['chat/7'], 'clid' => 'page'],
        ], $claims);
        [$head, $body, $signature] = explode('.', $token);
        self::assertSame(self::base64url(hash_hmac('sha256', "$head.$body", self::SECRET, true)), $signature);
    }

    public function testWhatIsNotSaidIsNotThere(): void
    {
        $maker = new TokenMaker(JwtSigner::fromSecret(self::SECRET), clock: new FakeClock(1_700_000_000.0));

        self::assertSame(['sub' => '7', 'iat' => 1_700_000_000, 'exp' => 1_700_000_300], self::read($maker->forUser(7))[1]);
        self::assertSame(['iat', 'exp'], array_keys(self::read($maker->forUser(null))[1]));
    }

    /** @dataProvider keys */
    public function testPrivateKeysSign(array $options, string $algorithm, int $digest, int $size): void
    {
        $key = openssl_pkey_new($options);
        openssl_pkey_export($key, $pem);
        // Numbers that begin with zeros or need a sign are rare.
        for ($time = 0; $time < 64; $time++) {
            $token = TokenMaker::fromPrivateKey($pem, keyId: 'k1')->forUser("user $time");
            [$header] = self::read($token);
            self::assertSame(['alg' => $algorithm, 'typ' => 'JWT', 'kid' => 'k1'], $header);
            [$head, $body, $signature] = explode('.', $token);
            $bytes = base64_decode(strtr($signature, '-_', '+/'));
            self::assertSame($size, strlen($bytes));
            $der = str_starts_with($algorithm, 'ES') ? self::der($bytes) : $bytes;
            $public = openssl_pkey_get_details($key)['key'];
            self::assertSame(1, openssl_verify("$head.$body", $der, $public, $digest));
        }
    }

    /** @return array<string, array{array<string, mixed>, string, int, int}> */
    public function keys(): array
    {
        $curve = static fn (string $name): array => ['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => $name];
        $rsa = ['private_key_type' => OPENSSL_KEYTYPE_RSA, 'private_key_bits' => 2048];
        return [
            'RSA' => [$rsa, 'RS256', OPENSSL_ALGO_SHA256, 256],
            'P-256' => [$curve('prime256v1'), 'ES256', OPENSSL_ALGO_SHA256, 64],
            'P-384' => [$curve('secp384r1'), 'ES384', OPENSSL_ALGO_SHA384, 96],
            'P-521' => [$curve('secp521r1'), 'ES512', OPENSSL_ALGO_SHA512, 132],
        ];
    }

    public function testTheFileIsReadAsTheBrokerReadsIt(): void
    {
        $directory = new TemporaryDirectory();
        try {
            $file = $directory->path . '/keys';
            file_put_contents($file, "\u{feff}# the newest first\r\n\r\n" . self::SECRET . "  \r\nanother one that is valid until tomorrow\n");
            $token = TokenMaker::fromSecretFile($file)->forUser('ana');
            [$head, $body, $signature] = explode('.', $token);
            self::assertSame(self::base64url(hash_hmac('sha256', "$head.$body", self::SECRET, true)), $signature);
            file_put_contents($file, "# none\n");
            self::assertThrows(KeyUnusable::class, static fn () => TokenMaker::fromSecretFile($file));
            self::assertThrows(KeyUnusable::class, static fn () => TokenMaker::fromSecretFile($directory->path . '/none'));
        } finally {
            $directory->remove();
        }
    }

    /** @dataProvider impossible */
    public function testWhatTheBrokerWouldRefuse(string $exception, \Closure $make): void
    {
        self::assertThrows($exception, static fn () => $make(TokenMaker::fromSecret(self::SECRET)));
    }

    /** @return array<string, array{class-string, \Closure}> */
    public function impossible(): array
    {
        return [
            'a short secret' => [KeyUnusable::class, static fn () => TokenMaker::fromSecret(str_repeat('x', 31))],
            'no PEM' => [KeyUnusable::class, static fn () => TokenMaker::fromPrivateKey('-----BEGIN NOTHING-----')],
            'an Ed25519 key' => [KeyUnusable::class, static fn () => TokenMaker::fromPrivateKey(SignedPostTest::ED25519_PRIVATE)],
            'for ever' => [InvalidToken::class, static fn () => TokenMaker::fromSecret(self::SECRET, 86_401)],
            'for no time' => [InvalidToken::class, static fn () => TokenMaker::fromSecret(self::SECRET, 0)],
            'everybody' => [InvalidUser::class, static fn (TokenMaker $maker) => $maker->forUser('*')],
            'no topic' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', [''])],
            'a topic with NUL' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', ["a\0"])],
            'a topic that is a number' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', [], [7])],
            'too many' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', array_fill(0, 1001, 'a'))],
            'a long info' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', info: str_repeat('x', 1024))],
            'no session' => [InvalidToken::class, static fn (TokenMaker $maker) => $maker->forUser('ana', session: '')],
        ];
    }

    public function testATicket(): void
    {
        $maker = new TicketMaker(JwtSigner::fromSecret(self::SECRET), 10, new FakeClock(1_700_000_000.5));
        $topics = ['news/#', ['topic' => '@USER@', 'binded' => true], ['topic' => 'orders/1', 'private' => true]];
        [, $claims] = self::read($maker->make($topics, 'ana', 'page', '7-12', 1_700_000_600, 'the-session', []));

        self::assertMatchesRegularExpression('/^[0-9a-f]{32}$/', $claims['jti']);
        unset($claims['jti']);
        self::assertSame([
            'aud' => 'esn-fanout', 'iat' => 1_700_000_000.5, 'exp' => 1_700_000_011, 'ep' => $topics, 'uid' => 'ana',
            'clid' => 'page', 'last_id' => '7-12', 'until' => 1_700_000_600, 'sid' => 'session:' . hash('sha256', 'the-session'), 'deaf' => [],
        ], $claims);
        self::assertSame('[][][]', self::read($maker->make([['topic' => 'a', 'binded' => true]], null))[1]['uid']);
        self::assertArrayNotHasKey('uid', self::read($maker->make(['a']))[1]);
    }

    /** @dataProvider impossibleTickets */
    public function testTicketsThatCannotBe(array $topics, string $why): void
    {
        $this->expectException(InvalidToken::class);
        $this->expectExceptionMessage($why);
        (new TicketMaker(JwtSigner::fromSecret(self::SECRET)))->make($topics);
    }

    /** @return array<string, array{array<mixed>, string}> */
    public function impossibleTickets(): array
    {
        return [
            'bound, of nobody' => [[['topic' => 'a', 'binded' => true]], 'nobody was named'],
            'private, of nobody' => [[['topic' => 'a', 'private' => true]], 'nobody was named'],
            'an unknown member' => [[['topic' => 'a', 'bound' => true]], 'a member beside'],
            'no topic' => [[['binded' => true]], 'is a text'],
            'a number' => [[7], 'is a text'],
            'too many' => [array_fill(0, 200, str_repeat('x', 40)), 'too many topics'],
        ];
    }

    private static function assertThrows(string $exception, \Closure $make): void
    {
        try {
            $make();
        } catch (\Throwable $thrown) {
            self::assertInstanceOf($exception, $thrown);
            return;
        }
        self::fail("No $exception");
    }

    /** @return array{array<string, mixed>, array<string, mixed>} header and claims */
    private static function read(string $token): array
    {
        [$header, $claims] = explode('.', $token);
        $read = static fn (string $part): array => json_decode(base64_decode(strtr($part, '-_', '+/')), true, 512, JSON_THROW_ON_ERROR);
        return [$read($header), $read($claims)];
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    /** The two numbers as OpenSSL wants them. */
    private static function der(string $bytes): string
    {
        $numbers = '';
        foreach (str_split($bytes, intdiv(strlen($bytes), 2)) as $number) {
            $number = ltrim($number, "\0");
            $number = ord($number[0]) > 0x7f ? "\0$number" : $number;
            $numbers .= "\x02" . chr(strlen($number)) . $number;
        }
        return "\x30" . (strlen($numbers) > 0x7f ? "\x81" : '') . chr(strlen($numbers)) . $numbers;
    }
}
