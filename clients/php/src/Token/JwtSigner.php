<?php

declare(strict_types=1);

namespace EsWebNotify\Token;

use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Keys\KeyFile;

/** Signs JWTs (RFC 7519): with a secret (HS256), or with a private key of RSA (RS256) or of an elliptic curve (ES256, 384, 512). */
final class JwtSigner
{
    private const MIN_SECRET_BYTES = 32;
    private const MIN_RSA_BITS = 2048;
    /** OpenSSL's names of the curves: algorithm, digest, bytes of a coordinate (RFC 7518, section 3.4). */
    private const CURVES = [
        'prime256v1' => ['ES256', OPENSSL_ALGO_SHA256, 32],
        'secp384r1' => ['ES384', OPENSSL_ALGO_SHA384, 48],
        'secp521r1' => ['ES512', OPENSSL_ALGO_SHA512, 66],
    ];

    /** @param \Closure(string): string $sign gives the bytes of a signature */
    private function __construct(
        private readonly string $algorithm,
        private readonly \Closure $sign,
        private readonly ?string $keyId = null,
    ) {
    }

    /** @param string $secret of 32 bytes or more */
    public static function fromSecret(#[\SensitiveParameter] string $secret): self
    {
        if (strlen($secret) < self::MIN_SECRET_BYTES) {
            throw new KeyUnusable('A secret has at least ' . self::MIN_SECRET_BYTES . ' characters.');
        }
        return new self('HS256', static fn (string $text): string => hash_hmac('sha256', $text, $secret, true));
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function fromPrivateKey(
        #[\SensitiveParameter] string $pem,
        #[\SensitiveParameter] ?string $passphrase = null,
        ?string $keyId = null,
    ): self {
        $key = openssl_pkey_get_private(KeyFile::pem($pem), $passphrase);
        $details = $key === false ? false : openssl_pkey_get_details($key);
        KeyFile::forgetOpensslErrors();
        if ($details === false) {
            throw new KeyUnusable('This is no private key in PEM, or its passphrase is another.');
        }
        if ($details['type'] === OPENSSL_KEYTYPE_RSA && $details['bits'] >= self::MIN_RSA_BITS) {
            return new self('RS256', static fn (string $text): string => self::sign($key, $text, OPENSSL_ALGO_SHA256), $keyId);
        }
        [$algorithm, $digest, $size] = self::CURVES[$details['ec']['curve_name'] ?? '']
            ?? throw new KeyUnusable('Tokens are signed with RSA of 2,048 bits or more, or the curves P-256, P-384, P-521.');
        $sign = static fn (string $text): string => self::joined(self::sign($key, $text, $digest), $size);
        return new self($algorithm, $sign, $keyId);
    }

    /** @param array<string, mixed> $claims */
    public function jwt(array $claims): string
    {
        $header = ['alg' => $this->algorithm, 'typ' => 'JWT'] + ($this->keyId === null ? [] : ['kid' => $this->keyId]);
        $text = self::part($header) . '.' . self::part($claims);
        return $text . '.' . self::base64url(($this->sign)($text));
    }

    /** @param array<string, mixed> $content */
    private static function part(array $content): string
    {
        try {
            return self::base64url(json_encode($content, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE));
        } catch (\JsonException $error) {
            throw new InvalidToken("It cannot be written as JSON: {$error->getMessage()}.", 0, $error);
        }
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    private static function sign(\OpenSSLAsymmetricKey $key, string $text, int $digest): string
    {
        if (!openssl_sign($text, $signature, $key, $digest)) {
            KeyFile::forgetOpensslErrors();
            throw new KeyUnusable('Signing with this key failed.');
        }
        return $signature;
    }

    /** OpenSSL gives the two numbers of a signature as DER (RFC 3279, section 2.2.3); a JWT has them one after the other. */
    private static function joined(string $der, int $size): string
    {
        $at = ord($der[1]) > 0x80 ? 3 : 2;
        $joined = '';
        for ($number = 0; $number < 2; $number++) {
            $length = ord($der[$at + 1]);
            $joined .= str_pad(ltrim(substr($der, $at + 2, $length), "\0"), $size, "\0", STR_PAD_LEFT);
            $at += 2 + $length;
        }
        return $joined;
    }
}
