<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

use EsWebNotify\TopicResult;

/** None of the event points was allowed; nothing was sent. */
final class Refused extends NotifyException
{
    /** @param list<TopicResult> $results why, for each event point; empty when the broker gave one reason for all */
    public function __construct(string $reason, public readonly array $results, int $status = 403)
    {
        $each = array_map(
            static fn (TopicResult $topic): string => sprintf('"%s" %s', $topic->topic, $topic->result),
            $results,
        );
        parent::__construct('Refused: ' . ($each === [] ? $reason : implode(', ', $each)), $status);
    }
}
