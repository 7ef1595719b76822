<?php

declare(strict_types=1);

namespace EsWebNotify;

/** How long emit() may take, in seconds. */
final class TimeLimits
{
    /**
     * @param float $total   everything together: attempts and the pauses between them
     * @param float $connect making the connection, in each attempt
     */
    public function __construct(public readonly float $total = 5.0, public readonly float $connect = 0.5)
    {
        if ($total <= 0.0 || $connect <= 0.0) {
            throw new \InvalidArgumentException('Time limits are above zero.');
        }
    }
}
