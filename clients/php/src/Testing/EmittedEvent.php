<?php

declare(strict_types=1);

namespace EsWebNotify\Testing;

use EsWebNotify\Event;
use EsWebNotify\EventPoint;

/** What a RecordingEmitter was given. */
final class EmittedEvent
{
    /**
     * @param list<EventPoint> $points
     * @param string|null      $id        of emitOnce(); null: of emit()
     * @param bool             $onBehalf  whether onBehalfOf() was called before
     * @param string|int|null  $publisher the user that it was given
     */
    public function __construct(
        public readonly Event $event,
        public readonly array $points,
        public readonly ?string $id,
        public readonly bool $onBehalf,
        public readonly string|int|null $publisher,
    ) {
    }

    public function type(): string
    {
        return $this->event->type;
    }

    /** Null also when the event has none. */
    public function detail(): mixed
    {
        return $this->event->jsonSerialize()['detail'] ?? null;
    }

    /** @return list<string> */
    public function topics(): array
    {
        return array_map(static fn (EventPoint $point): string => $point->topic, $this->points);
    }
}
