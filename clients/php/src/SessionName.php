<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\InvalidToken;

/**
 * What a session is called outside of PHP ("sid" on the wire). Its id would open it to whoever reads it in a token or a log, so
 * the name is "session:" and the SHA-256 of the id.
 */
final class SessionName
{
    /** @param string $sessionId of session_id() */
    public static function of(#[\SensitiveParameter] string $sessionId): string
    {
        if ($sessionId === '') {
            throw new InvalidToken('There is no session id: call session_start() first.');
        }
        return 'session:' . hash('sha256', $sessionId);
    }

    private function __construct()
    {
    }
}
