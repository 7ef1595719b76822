<?php

declare(strict_types=1);

namespace EsWebNotify\Time;

interface Clock
{
    /** Seconds from some fixed moment; never goes back. */
    public function monotonic(): float;

    /** Seconds since 1970. */
    public function unixTime(): float;

    public function sleep(float $seconds): void;
}
