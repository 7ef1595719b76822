<?php

declare(strict_types=1);

namespace EsWebNotify;

/** A stream that an event was sent to, and whose client has not said that it had it. */
final class MissingStream
{
    /**
     * @param string|null $user   null: it is heard as nobody
     * @param string      $client the name that the page has given itself
     * @param bool        $isOpen the stream is still there
     * @param int         $since  milliseconds since the event was sent to it, or since it is gone
     */
    public function __construct(
        public readonly int $connection,
        public readonly ?string $user,
        public readonly string $client,
        public readonly bool $isOpen,
        public readonly int $since,
    ) {
    }
}
