<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

/** How RSA fills up what it encrypts; both sides have to be set alike. */
enum Padding
{
    /** PKCS#1 v1.5, PHP's default. */
    case Pkcs1;
    /** OAEP with SHA-1, as PHP makes it: the better one where both sides can. */
    case Oaep;

    public function opensslConstant(): int
    {
        return match ($this) {
            self::Pkcs1 => OPENSSL_PKCS1_PADDING,
            self::Oaep => OPENSSL_PKCS1_OAEP_PADDING,
        };
    }

    /** Bytes of a block that the padding takes for itself. */
    public function overhead(): int
    {
        return match ($this) {
            self::Pkcs1 => 11,
            self::Oaep => 42,
        };
    }
}
