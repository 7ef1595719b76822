<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\InvalidEvent;

/** Whose streams are to end. */
final class Drop implements \JsonSerializable
{
    private const MAX_CONNECTION_ID = 2 ** 53 - 1;

    /**
     * Of one of these.
     *
     * @param string|null $session    session_id()
     * @param int|null    $connection a connection's number
     * @param string|null $client     a client id: the name that a page has given itself
     * @param int         $for        seconds in which a user or session cannot come back by what was signed for it before
     */
    public function __construct(
        public readonly string|int|null $user = null,
        #[\SensitiveParameter] public readonly ?string $session = null,
        public readonly ?int $connection = null,
        public readonly ?string $client = null,
        public readonly int $for = 0,
    ) {
        $given = array_filter([$user, $session, $connection, $client], static fn (mixed $one): bool => $one !== null);
        if (count($given) !== 1) {
            throw new InvalidEvent('drop() ends the streams of one of: user, session, connection, client.');
        }
        if ($for < 0 || ($for > 0 && $user === null && $session === null)) {
            throw new InvalidEvent('"for" is a number of seconds, of a user or a session.');
        }
        if ($connection !== null && ($connection < 0 || $connection > self::MAX_CONNECTION_ID)) {
            throw new InvalidEvent('A connection id is an integer from 0 to 2^53 - 1.');
        }
    }

    /** @return array<string, string|int> */
    public function jsonSerialize(): array
    {
        $whose = match (true) {
            $this->user !== null => ['uid' => UserId::onTheWire($this->user)],
            $this->session !== null => ['sid' => SessionName::of($this->session)],
            $this->connection !== null => ['connid' => $this->connection],
            default => ['clid' => (string) $this->client],
        };
        return $whose + ($this->for > 0 ? ['for' => $this->for] : []);
    }
}
