<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** Everything this package throws on its own account. Messages never hold tokens, bind keys or passwords. */
abstract class NotifyException extends \RuntimeException
{
    /** @param int $status the HTTP status of the answer, 0 when there was none */
    public function __construct(string $message, public readonly int $status = 0, ?\Throwable $previous = null)
    {
        parent::__construct($message, 0, $previous);
    }
}
