<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Signing\PostSigner;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\FakeTransport;
use PHPUnit\Framework\TestCase;

final class SignedPostTest extends TestCase
{
    /** RFC 9421, appendix B.1.4. */
    public const ED25519_PRIVATE = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
        . "-----END PRIVATE KEY-----\n";
    private const ED25519_PUBLIC = 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
    private const SECRET = 'a secret of 32 characters, exactly';
    private const SENT = '{"id":"7-9","receivers":0,"ep":[{"topic":"a","result":"sent","receivers":0}]}';

    public function testWhatIsSigned(): void
    {
        $url = 'https://shop.example/notify/event?x=1&y';
        $body = '{"ep":["a"]}';
        $headers = self::fields(PostSigner::fromSecret('shop', self::SECRET)->headers($url, $body, 1_700_000_000));
        $digest = 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
        $parameters = '("@method" "@path" "@query" "content-digest");created=1700000000;keyid="shop"';
        $base = "\"@method\": POST\n\"@path\": /notify/event\n\"@query\": ?x=1&y\n\"content-digest\": $digest\n"
            . "\"@signature-params\": $parameters";

        self::assertSame([
            'Content-Digest' => $digest,
            'Signature-Input' => "sig1=$parameters",
            'Signature' => 'sig1=:' . base64_encode(hash_hmac('sha256', $base, self::SECRET, true)) . ':',
        ], $headers);
    }

    public function testEd25519(): void
    {
        $url = 'http://shop.example/';
        $headers = self::fields(PostSigner::fromPrivateKey('shop', self::ED25519_PRIVATE)->headers($url, '', 7));
        $parameters = '("@method" "@path" "content-digest");created=7;keyid="shop"';
        $base = "\"@method\": POST\n\"@path\": /\n\"content-digest\": {$headers['Content-Digest']}\n\"@signature-params\": $parameters";
        $signature = base64_decode(substr($headers['Signature'], strlen('sig1=:'), -1));

        self::assertTrue(sodium_crypto_sign_verify_detached($signature, $base, base64_decode(self::ED25519_PUBLIC)));
    }

    public function testEachAttemptIsSignedAnewAndTheTokenStaysAtHome(): void
    {
        $clock = new FakeClock(1_700_000_000.9);
        $transport = new FakeTransport(new HttpAnswer(503, ['retry-after' => '2'], ''), new HttpAnswer(200, [], self::SENT));
        $signer = PostSigner::fromSecret('shop', self::SECRET);
        $emitter = new Emitter('http://x/event', 'a token', transport: $transport, clock: $clock, signer: $signer);
        $emitter->emit(new Event('t'), EventPoint::shout('a'));

        self::assertCount(2, $transport->posts);
        foreach ($transport->posts as $post) {
            self::assertSame([], preg_grep('/authorization/i', $post['headers']));
            $fields = self::fields($post['headers']);
            $digest = 'sha-256=:' . base64_encode(hash('sha256', $post['body'], true)) . ':';
            self::assertSame($digest, $fields['Content-Digest']);
        }
        self::assertSame($transport->posts[0]['body'], $transport->posts[1]['body']);
        $inputs = array_map(static fn (array $post): string => self::fields($post['headers'])['Signature-Input'], $transport->posts);
        self::assertStringContainsString('created=1700000000;', $inputs[0]);
        self::assertStringContainsString('created=1700000002;', $inputs[1]);
    }

    /** @dataProvider unusable */
    public function testKeysThatCannotSign(\Closure $make): void
    {
        $this->expectException(KeyUnusable::class);
        $make();
    }

    /** @return array<string, array{\Closure}> */
    public function unusable(): array
    {
        return [
            'short' => [static fn () => PostSigner::fromSecret('shop', str_repeat('x', 31))],
            'a name with a quote' => [static fn () => PostSigner::fromSecret('sh"op', self::SECRET)],
            'no name' => [static fn () => PostSigner::fromSecret('', self::SECRET)],
            'no file' => [static fn () => PostSigner::fromSecretFile('shop', '/nowhere/at/all')],
            'no Ed25519' => [static fn () => PostSigner::fromPrivateKey('shop', "-----BEGIN PRIVATE KEY-----\nAAAA\n")],
        ];
    }

    /**
     * @param list<string> $headers
     *
     * @return array<string, string>
     */
    private static function fields(array $headers): array
    {
        $fields = [];
        foreach ($headers as $line) {
            [$name, $value] = explode(': ', $line, 2);
            $fields[$name] = $value;
        }
        return $fields;
    }
}
