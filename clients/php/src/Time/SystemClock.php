<?php

declare(strict_types=1);

namespace EsWebNotify\Time;

final class SystemClock implements Clock
{
    public function monotonic(): float
    {
        return hrtime(true) / 1e9;
    }

    public function unixTime(): float
    {
        return microtime(true);
    }

    public function sleep(float $seconds): void
    {
        if ($seconds > 0.0) {
            usleep((int) ceil($seconds * 1e6));
        }
    }
}
