<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

final class Wait
{
    /** Until the condition is true; the limit is there to end a test that failed. */
    public static function until(callable $condition, string $for, float $limit = 60.0): void
    {
        $deadline = hrtime(true) + (int) ($limit * 1e9);
        while (!$condition()) {
            if (hrtime(true) > $deadline) {
                throw new \RuntimeException("Waited $limit s in vain for $for");
            }
            usleep(2000);
        }
    }
}
