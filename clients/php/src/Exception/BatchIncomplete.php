<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

use EsWebNotify\Receipt;

/**
 * Not all events of a batch were sent. The status is that of the first that was not. The batch still has all of them: sent again, none is
 * delivered twice.
 */
final class BatchIncomplete extends NotifyException
{
    /** @param non-empty-list<Receipt|NotifyException> $outcomes what became of each event, in the order of the batch */
    public function __construct(public readonly array $outcomes)
    {
        $failures = $this->failures();
        $place = (int) array_key_first($failures);
        $first = $failures[$place];
        $text = sprintf('%d of %d events of a batch were not sent; the first of them, number %d: %s', count($failures),
            count($outcomes), $place + 1, $first->getMessage());
        parent::__construct($text, $first->status, $first);
    }

    /** @return array<int, NotifyException> why, by the event's place in the batch; 0 is the first */
    public function failures(): array
    {
        return array_filter($this->outcomes, static fn (Receipt|NotifyException $one): bool => $one instanceof NotifyException);
    }
}
