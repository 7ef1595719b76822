<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

/** The broker's URL, which may carry the entry token. */
final class Address
{
    /** Without query, user and password: for messages and logs. */
    public static function forPeople(#[\SensitiveParameter] string $url): string
    {
        $withoutQuery = preg_replace('/[?#].*$/s', '', $url) ?? '';
        return preg_replace('~^([a-z]+://)[^/]*@~i', '$1', $withoutQuery) ?? '';
    }

    private function __construct()
    {
    }
}
