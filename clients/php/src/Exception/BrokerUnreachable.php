<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/**
 * The broker was not reached within the time limit, or said that it cannot take the event now. The event may or may
 * not have been delivered; Emitter::emitOnce() with the same id later does not deliver it twice.
 */
class BrokerUnreachable extends NotifyException
{
    /**
     * @param int      $attempts   how often it was tried
     * @param int|null $retryAfter seconds after which the broker asks to be tried again
     */
    public function __construct(
        string $message,
        int $status = 0,
        public readonly int $attempts = 0,
        public readonly ?int $retryAfter = null,
        ?\Throwable $previous = null,
    ) {
        parent::__construct($message, $status, $previous);
    }
}
