<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

use PHPUnit\Framework\Assert;

/** The running programs that the integration tests use, as the environment names them. */
final class Stack
{
    public static function eventUrl(): string
    {
        return self::variable('ESN_EVENT_URL', 'the address of POST /event')
            . '?token=' . self::variable('ESN_PUBLISH_TOKEN', 'the entry token for it');
    }

    public static function baseUrl(): string
    {
        return rtrim(self::variable('ESN_BASE_URL', 'where clients subscribe, ends in "/"'), '/') . '/';
    }

    /** A test without its stack is a failure, not one to skip. */
    public static function variable(string $name, string $meaning): string
    {
        $value = getenv($name);
        if ($value === false || $value === '') {
            Assert::fail("The integration tests need $name in the environment: $meaning. deploy/quickstart writes "
                . 'the addresses of what it starts to DIR/env.');
        }
        return $value;
    }

    /** A topic that no other test uses. */
    public static function topic(string $name): string
    {
        return "php-tests/$name/" . bin2hex(random_bytes(8));
    }
}
