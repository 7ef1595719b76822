<?php

declare(strict_types=1);

namespace EsWebNotify\Token;

use EsWebNotify\Exception\InvalidToken;

/** What a proof says beside whose it is, checked as the broker checks it. */
final class Grants
{
    private const MAX_INFO_BYTES = 1024;
    private const MAX_PATTERNS = 1000;

    /**
     * @param array<string> $patterns topics, with or without wildcards
     *
     * @return list<string>
     */
    public static function patterns(array $patterns): array
    {
        if (count($patterns) > self::MAX_PATTERNS) {
            throw new InvalidToken('At most ' . self::MAX_PATTERNS . ' topics can be granted, and a pattern stands for many.');
        }
        foreach ($patterns as $pattern) {
            if (!is_string($pattern) || $pattern === '' || str_contains($pattern, "\0") || preg_match('//u', $pattern) !== 1) {
                throw new InvalidToken('What is granted is a topic: UTF-8 text without NUL.');
            }
        }
        return array_values($patterns);
    }

    /** Shown to others: any JSON of at most 1 KiB. */
    public static function info(mixed $info): mixed
    {
        try {
            $length = strlen(json_encode($info, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
        } catch (\JsonException $error) {
            throw new InvalidToken("info cannot be written as JSON: {$error->getMessage()}.", 0, $error);
        }
        if ($length > self::MAX_INFO_BYTES) {
            throw new InvalidToken("info has $length bytes of JSON; at most " . self::MAX_INFO_BYTES . ' are taken.');
        }
        return $info;
    }

    private function __construct()
    {
    }
}
