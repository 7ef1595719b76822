<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Time\Backoff;
use PHPUnit\Framework\TestCase;

final class BackoffTest extends TestCase
{
    public function testPausesDoubleUpToTheLongest(): void
    {
        $longestOnes = new Backoff(0.1, 0.5, static fn (): float => 1.0);
        $shortestOnes = new Backoff(0.1, 0.5, static fn (): float => 0.0);

        $longest = array_map($longestOnes->pauseAfter(...), [1, 2, 3, 4, 5, 1000]);
        $shortest = array_map($shortestOnes->pauseAfter(...), [1, 2, 3, 4, 5, 1000]);

        self::assertEqualsWithDelta([0.1, 0.2, 0.4, 0.5, 0.5, 0.5], $longest, 1e-9);
        self::assertEqualsWithDelta([0.05, 0.1, 0.2, 0.25, 0.25, 0.25], $shortest, 1e-9);
    }

    public function testPausesAreSpread(): void
    {
        $backoff = new Backoff(1.0, 1.0);
        $pauses = array_map(static fn (): float => $backoff->pauseAfter(1), range(1, 50));

        self::assertGreaterThanOrEqual(0.5, min($pauses));
        self::assertLessThanOrEqual(1.0, max($pauses));
        self::assertGreaterThan(10, count(array_unique($pauses)));
    }
}
