<?php

declare(strict_types=1);

namespace EsWebNotify\Time;

/** Pauses between attempts: doubled each time, and spread so that many pages do not come back at once. */
final class Backoff
{
    private readonly \Closure $random;

    /** @param (\Closure(): float)|null $random a number from 0 to 1 */
    public function __construct(
        private readonly float $first = 0.05,
        private readonly float $longest = 1.0,
        ?\Closure $random = null,
    ) {
        $this->random = $random ?? static fn (): float => random_int(0, 1 << 20) / (1 << 20);
    }

    /** Seconds to wait after the given attempt (1 for the first): half of the step for sure, the rest by chance. */
    public function pauseAfter(int $attempt): float
    {
        $step = min($this->longest, $this->first * 2 ** min($attempt - 1, 30));
        return $step * (0.5 + 0.5 * ($this->random)());
    }
}
