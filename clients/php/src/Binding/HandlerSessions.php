<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Exception\SessionUnavailable;

/**
 * Sessions in Redis, Memcached or the application's own save handler. Opened in strict mode, in which PHP takes
 * another id when this one is unknown, and closed without writing.
 */
final class HandlerSessions implements SessionReader
{
    public const READ_ONLY = [
        'read_and_close' => true,
        'use_cookies' => '0',
        'cache_limiter' => '',
        'gc_probability' => '0',
    ];

    public function read(#[\SensitiveParameter] string $sessionId): ?array
    {
        session_id($sessionId);
        if (!@session_start(self::READ_ONLY + ['use_strict_mode' => '1'])) {
            throw new SessionUnavailable('The session cannot be opened by its save handler.');
        }
        $content = $_SESSION ?? [];
        unset($_SESSION);
        return session_id() === $sessionId ? $content : null;
    }
}
