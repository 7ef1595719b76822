<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Keys\KeyFile;

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
        return self::of(openssl_pkey_get_public(KeyFile::pem($pem)), false);
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function private(
        #[\SensitiveParameter] string $pem,
        #[\SensitiveParameter] ?string $passphrase = null,
    ): self {
        return self::of(openssl_pkey_get_private(KeyFile::pem($pem), $passphrase), true);
    }

    private static function of(\OpenSSLAsymmetricKey|false $key, bool $isPrivate): self
    {
        KeyFile::forgetOpensslErrors();
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
}
