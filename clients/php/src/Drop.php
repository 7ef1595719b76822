<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\InvalidEvent;

/** Whose streams are to end. */
final class Drop implements \JsonSerializable
{
    private const MAX_CONNECTION_ID = 2 ** 53 - 1;
    private const MAX_FOR = 30 * 86_400;

    /**
     * Of one of these.
     *
     * @param string|null $session    session_id()
     * @param int|null    $connection a connection's number
     * @param string|null $client     a client id: the name that a page has given itself
     * @param int|null    $for        seconds in which what was signed for the user or session before is refused; null: as long as
     *                                a ticket can be used
     */
    public function __construct(
        public readonly string|int|null $user = null,
        #[\SensitiveParameter] public readonly ?string $session = null,
        public readonly ?int $connection = null,
        public readonly ?string $client = null,
        public readonly ?int $for = null,
    ) {
        $given = array_filter([$user, $session, $connection, $client], static fn (mixed $one): bool => $one !== null);
        if (count($given) !== 1) {
            throw new InvalidEvent('drop() ends the streams of one of: user, session, connection, client.');
        }
        if ($for !== null && ($for < 0 || $for > self::MAX_FOR || ($user === null && $session === null))) {
            throw new InvalidEvent('"for" is a number of seconds up to ' . self::MAX_FOR . ', of a user or a session.');
        }
        if ($connection !== null && ($connection < 1 || $connection > self::MAX_CONNECTION_ID)) {
            throw new InvalidEvent('A connection id is an integer from 1 to 2^53 - 1.');
        }
    }

    /** As it is posted. */
    public function json(): string
    {
        try {
            return json_encode($this, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        } catch (\JsonException $error) {
            throw new InvalidEvent("The order cannot be written as JSON: {$error->getMessage()}.", 0, $error);
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
        return $whose + ($this->for !== null ? ['for' => $this->for] : []);
    }
}
