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
