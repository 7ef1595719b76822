<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** RSA pairs for tests, made once each. */
final class Keys
{
    /** @var array<string, array{public: string, private: string}> */
    private static array $pairs = [];

    public static function public(string $name = 'first'): string
    {
        return self::pair($name)['public'];
    }

    public static function private(string $name = 'first'): string
    {
        return self::pair($name)['private'];
    }

    /** @return array{public: string, private: string} */
    private static function pair(string $name): array
    {
        return self::$pairs[$name] ??= self::make();
    }

    /** @return array{public: string, private: string} */
    private static function make(): array
    {
        $key = openssl_pkey_new(['private_key_bits' => 2048, 'private_key_type' => OPENSSL_KEYTYPE_RSA]);
        openssl_pkey_export($key, $private);
        return ['public' => openssl_pkey_get_details($key)['key'], 'private' => $private];
    }
}
