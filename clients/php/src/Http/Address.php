<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\InvalidEvent;

/** The broker's URL, which may carry the entry token. */
final class Address
{
    /** Without query, user and password: for messages and logs. */
    public static function forPeople(#[\SensitiveParameter] string $url): string
    {
        $withoutQuery = preg_replace('/[?#].*$/s', '', $url) ?? '';
        return preg_replace('~^([a-z]+://)[^/]*@~i', '$1', $withoutQuery) ?? '';
    }

    /** The address beside that of /event, with the same query. */
    public static function beside(#[\SensitiveParameter] string $url, string $name): string
    {
        $other = preg_replace('~/event(?=[?#]|$)~D', "/$name", $url, 1, $count);
        if ($count !== 1) {
            throw new InvalidEvent('The address ' . self::forPeople($url) . ' does not end in "/event", so that of ' . $name
                . ' is not known.');
        }
        return $other;
    }

    private function __construct()
    {
    }
}
