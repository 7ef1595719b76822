<?php

declare(strict_types=1);

namespace EsWebNotify;

/** Who had an event, by what the pages themselves have said. */
final class Report
{
    /**
     * @param int                 $sent    streams that it was sent to; those of clients that say nothing of it are neither had nor missing
     * @param int                 $had     of these, those whose client has said that it had it
     * @param list<MissingStream> $missing those whose client has not said so yet
     * @param int                 $more    how many are missing beside those
     */
    public function __construct(
        public readonly string $id,
        public readonly int $sent,
        public readonly int $had,
        public readonly array $missing,
        public readonly int $more,
    ) {
    }

    /** Nobody of whom it would be known is without it. */
    public function isComplete(): bool
    {
        return $this->missing === [];
    }
}
