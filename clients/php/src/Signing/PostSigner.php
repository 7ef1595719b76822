<?php

declare(strict_types=1);

namespace EsWebNotify\Signing;

use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Keys\KeyFile;

/**
 * Signs posts as the publisher of a name (RFC 9421, with the digest of RFC 9530): the broker knows who posts, and the secret never
 * goes over the wire.
 */
final class PostSigner
{
    /** What stands before the 32 bytes of an Ed25519 private key in DER (RFC 8410, section 7). */
    private const ED25519_HEAD = "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    private const MIN_SECRET_BYTES = 32;

    /** @param \Closure(string): string $sign gives the bytes of a signature */
    private function __construct(private readonly string $publisher, private readonly \Closure $sign)
    {
        if (preg_match('/^[\x21\x23-\x5b\x5d-\x7e]+$/D', $publisher) !== 1) {
            throw new KeyUnusable('The name of a publisher is ASCII without blanks, quotes and backslashes.');
        }
    }

    /**
     * @param string $publisher the section of the broker's [publish] publishers_file
     * @param string $path      of a file with its secret
     */
    public static function fromSecretFile(string $publisher, string $path): self
    {
        return self::fromSecret($publisher, KeyFile::first($path));
    }

    public static function fromSecret(string $publisher, #[\SensitiveParameter] string $secret): self
    {
        if (strlen($secret) < self::MIN_SECRET_BYTES) {
            throw new KeyUnusable('A publisher\'s secret has at least ' . self::MIN_SECRET_BYTES . ' characters.');
        }
        return new self($publisher, static fn (string $base): string => hash_hmac('sha256', $base, $secret, true));
    }

    /** @param string $pem a private key of Ed25519, or the path of its file; the broker has the public one as `secret_file` */
    public static function fromPrivateKey(string $publisher, #[\SensitiveParameter] string $pem): self
    {
        if (!function_exists('sodium_crypto_sign_detached')) {
            throw new KeyUnusable('Signing with Ed25519 needs PHP\'s sodium extension.');
        }
        $text = KeyFile::pem($pem);
        $der = base64_decode((string) preg_replace('/-----[^-]*-----|\s/', '', $text));
        if (strlen($der) !== 48 || !str_starts_with($der, self::ED25519_HEAD)) {
            throw new KeyUnusable('This is no private key of Ed25519 in PEM.');
        }
        $secret = sodium_crypto_sign_secretkey(sodium_crypto_sign_seed_keypair(substr($der, 16)));
        return new self($publisher, static fn (string $base): string => sodium_crypto_sign_detached($base, $secret));
    }

    /**
     * Headers that make a request with this body, now, one of the publisher's.
     *
     * @return list<string>
     */
    public function headers(string $url, string $body, int $now, string $method = 'POST'): array
    {
        $digest = 'sha-256=:' . base64_encode(hash('sha256', $body, true)) . ':';
        $covered = ['@method' => $method, '@path' => parse_url($url, PHP_URL_PATH) ?: '/'];
        $query = parse_url($url, PHP_URL_QUERY);
        if ($query !== null && $query !== false) {
            $covered['@query'] = "?$query";
        }
        $covered['content-digest'] = $digest;
        $names = implode(' ', array_map(static fn (string $name): string => "\"$name\"", array_keys($covered)));
        $parameters = "($names);created=$now;keyid=\"{$this->publisher}\"";
        $lines = array_map(static fn (string $name, string $value): string => "\"$name\": $value", array_keys($covered), $covered);
        $base = implode("\n", [...$lines, "\"@signature-params\": $parameters"]);
        return [
            "Content-Digest: $digest",
            "Signature-Input: sig1=$parameters",
            'Signature: sig1=:' . base64_encode(($this->sign)($base)) . ':',
        ];
    }
}
