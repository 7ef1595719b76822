<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

use EsWebNotify\TopicResult;

/**
 * This entry token has published more than the broker lets it, and there was no time to wait. Emitter::emitOnce() with the same id
 * sends the rest, after $retryAfter seconds.
 */
final class TooManyEvents extends BrokerUnreachable
{
    /** @param list<TopicResult> $results of each event point: some may have been sent */
    public function __construct(public readonly array $results, ?int $retryAfter)
    {
        $after = $retryAfter === null ? '' : " Try again after $retryAfter s.";
        parent::__construct("The broker says that too many events were published.$after", 429, 0, $retryAfter);
    }
}
