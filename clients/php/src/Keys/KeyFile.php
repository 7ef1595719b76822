<?php

declare(strict_types=1);

namespace EsWebNotify\Keys;

use EsWebNotify\Exception\KeyUnusable;

/** Files of secrets and keys. */
final class KeyFile
{
    /** The first secret of a file as the broker reads it: one a line, empty lines and those with "#" are none. */
    public static function first(string $path): string
    {
        foreach (preg_split('/\R/', self::text($path)) as $line) {
            $line = rtrim($line, " \t");
            if ($line !== '' && $line[0] !== '#') {
                return $line;
            }
        }
        throw new KeyUnusable("The file $path has no secret.");
    }

    /** Text of a PEM. */
    public static function pem(#[\SensitiveParameter] string $pem): string
    {
        return str_contains($pem, '-----BEGIN ') ? $pem : self::text($pem);
    }

    /** OpenSSL queues its errors for the whole process: others should not find ours there. */
    public static function forgetOpensslErrors(): void
    {
        while (openssl_error_string() !== false) {
            continue;
        }
    }

    private static function text(string $path): string
    {
        $text = @file_get_contents($path);
        if ($text === false) {
            throw new KeyUnusable("The key file $path cannot be read.");
        }
        return str_starts_with($text, "\u{feff}") ? substr($text, 3) : $text;
    }

    private function __construct()
    {
    }
}
