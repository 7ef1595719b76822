<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

use EsWebNotify\Exception\KeyUnusable;

/** An RSA key from PEM text or from a file of it. */
final class RsaKey
{
    private function __construct(
        public readonly \OpenSSLAsymmetricKey $key,
        public readonly int $bytes,
        public readonly bool $isPrivate,
    ) {
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function public(#[\SensitiveParameter] string $pem): self
    {
        return self::of(openssl_pkey_get_public(self::text($pem)), false);
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function private(
        #[\SensitiveParameter] string $pem,
        #[\SensitiveParameter] ?string $passphrase = null,
    ): self {
        return self::of(openssl_pkey_get_private(self::text($pem), $passphrase), true);
    }

    private static function text(#[\SensitiveParameter] string $pem): string
    {
        if (str_contains($pem, '-----BEGIN ')) {
            return $pem;
        }
        $text = @file_get_contents($pem);
        if ($text === false) {
            throw new KeyUnusable("The key file $pem cannot be read.");
        }
        return $text;
    }

    private static function of(\OpenSSLAsymmetricKey|false $key, bool $isPrivate): self
    {
        self::forgetOpensslErrors();
        $kind = $isPrivate ? 'private' : 'public';
        if ($key === false) {
            throw new KeyUnusable("This is no $kind key in PEM, or its passphrase is another.");
        }
        $details = openssl_pkey_get_details($key);
        if ($details === false || $details['type'] !== OPENSSL_KEYTYPE_RSA) {
            throw new KeyUnusable("The $kind key is not an RSA key.");
        }
        return new self($key, intdiv($details['bits'] + 7, 8), $isPrivate);
    }

    /** OpenSSL queues its errors for the whole process: others should not find ours there. */
    public static function forgetOpensslErrors(): void
    {
        while (openssl_error_string() !== false) {
            continue;
        }
    }
}
