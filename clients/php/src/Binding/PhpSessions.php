<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Exception\SessionUnavailable;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;

/** Sessions as this PHP is set up to keep them (session.save_handler, session.save_path). */
final class PhpSessions implements SessionReader
{
    /** @param float $lockLimit seconds to wait for a page that holds the session open; files alone */
    public function __construct(
        private readonly float $lockLimit = 1.0,
        private readonly Clock $clock = new SystemClock(),
    ) {
    }

    public function read(#[\SensitiveParameter] string $sessionId): ?array
    {
        if (session_status() !== PHP_SESSION_NONE) {
            throw new SessionUnavailable('A session is open already: the binding server needs session.auto_start off.');
        }
        $sessions = session_module_name() === 'files'
            ? new FileSessions((string) ini_get('session.save_path'), $this->lockLimit, $this->clock)
            : new HandlerSessions();
        return $sessions->read($sessionId);
    }
}
