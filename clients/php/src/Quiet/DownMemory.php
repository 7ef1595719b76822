<?php

declare(strict_types=1);

namespace EsWebNotify\Quiet;

/** Remembers between requests and processes that the broker was found to be down. */
interface DownMemory
{
    /**
     * False while the broker is remembered as down. When that time is over, the first to ask gets true and tries for
     * all; the others go on getting false until it has reported or as much time again has gone by.
     */
    public function mayTry(): bool;

    /** @param int|null $retryAfter seconds for which the broker asked not to be tried */
    public function down(?int $retryAfter = null): void;

    public function up(): void;
}
