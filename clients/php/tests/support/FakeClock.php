<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

use EsWebNotify\Time\Clock;

/** Stands still but for sleep() and advance(). */
final class FakeClock implements Clock
{
    /** @var list<float> */
    public array $slept = [];
    private float $passed = 0.0;

    public function __construct(private readonly float $start = 1_700_000_000.5)
    {
    }

    public function monotonic(): float
    {
        return $this->passed;
    }

    public function unixTime(): float
    {
        return $this->start + $this->passed;
    }

    public function sleep(float $seconds): void
    {
        $this->slept[] = $seconds;
        $this->passed += $seconds;
    }

    public function advance(float $seconds): void
    {
        $this->passed += $seconds;
    }
}
