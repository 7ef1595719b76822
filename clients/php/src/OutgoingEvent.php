<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Exception\InvalidEvent;

/** One event as it is posted. All but the bind key, which ages, is fixed when it is made. */
final class OutgoingEvent
{
    private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION;

    private const MAX_ID_BYTES = 200;

    /** Of its publisher, else by chance: posted again with it, the event is not delivered twice. */
    public readonly string $id;
    public readonly bool $isBound;
    private readonly string $json;

    /**
     * @param string|null           $givenId  null: it gets one by chance
     * @param list<EventPoint>      $points
     * @param list<string|int|null> $onBehalf the user who says it; empty: nobody was named
     * @param array<string, mixed>  $wish     further members of the post
     *
     * @throws InvalidEvent
     */
    public function __construct(
        public readonly ?string $givenId,
        public readonly Event $event,
        public readonly array $points,
        public readonly array $onBehalf = [],
        array $wish = [],
    ) {
        if ($givenId !== null && ($givenId === '' || strlen($givenId) > self::MAX_ID_BYTES)) {
            throw new InvalidEvent('The id of an event has 1 to ' . self::MAX_ID_BYTES . ' bytes.');
        }
        if ($points === []) {
            throw new InvalidEvent('An event needs at least one event point.');
        }
        $this->isBound = array_filter($points, static fn (EventPoint $point): bool => $point->isBound()) !== [];
        if ($this->isBound && $onBehalf === []) {
            throw new InvalidEvent('A bound event needs a publisher: call onBehalfOf() first.');
        }
        $this->id = $givenId ?? bin2hex(random_bytes(16));
        $this->json = self::json(['id' => $this->id, 'ep' => $points, 'e' => $event] + $wish);
    }

    /** As JSON; a bound one with a bind key of this moment. */
    public function body(?BindKeyMaker $keys): string
    {
        if (!$this->isBound || $keys === null) {
            return $this->json;
        }
        return '{"bind_key":' . self::json($keys->forPublishing($this->onBehalf[0])) . ',' . substr($this->json, 1);
    }

    /** About as long as body() will be. */
    public function bytes(): int
    {
        return strlen($this->json) + ($this->isBound ? 800 : 0);
    }

    /** @param array<string, mixed>|string $body */
    private static function json(array|string $body): string
    {
        try {
            return json_encode($body, self::JSON);
        } catch (\JsonException $error) {
            throw new InvalidEvent("The event cannot be written as JSON: {$error->getMessage()}.", 0, $error);
        }
    }
}
