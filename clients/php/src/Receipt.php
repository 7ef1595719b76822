<?php

declare(strict_types=1);

namespace EsWebNotify;

/** The broker's word that it has the event. */
final class Receipt
{
    /** @param list<TopicResult> $topics in the order of the event points */
    public function __construct(
        public readonly string $id,
        public readonly int $receivers,
        public readonly array $topics,
    ) {
    }

    /**
     * Event points that were not sent although others of the same post were.
     *
     * @return list<TopicResult>
     */
    public function refused(): array
    {
        return array_values(array_filter($this->topics, static fn (TopicResult $topic): bool => !$topic->isSent()));
    }
}
