<?php

declare(strict_types=1);

namespace EsWebNotify;

/** What became of one event point. */
final class TopicResult
{
    public const SENT = 'sent';
    public const FORBIDDEN = 'forbidden';
    public const UNREGISTERED = 'unregistered';
    public const WRONG_PASSWORD = 'wrong password';
    /** The password was not looked at, since wrong ones were given too often. */
    public const TOO_MANY_WRONG_PASSWORDS = 'too many wrong passwords';
    /** The publisher may not publish on this topic, or not in this way. */
    public const NOT_YOURS = 'not yours';
    public const TOO_MANY_EVENTS = 'too many events';
    public const ID_OF_ANOTHER_EVENT = 'id of another event';

    public function __construct(
        public readonly string $topic,
        public readonly string $result,
        public readonly int $receivers,
    ) {
    }

    public function isSent(): bool
    {
        return $this->result === self::SENT;
    }
}
