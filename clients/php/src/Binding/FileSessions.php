<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Exception\SessionUnavailable;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;

/**
 * Sessions in files, PHP's default. Read here and not by session_start(), which makes a file for every id it is asked
 * for, and waits without limit for a page that holds the session open.
 */
final class FileSessions implements SessionReader
{
    private const PAUSE = 0.02;

    /** @param string $savePath as in session.save_path: "/dir", "depth;/dir" or "depth;mode;/dir" */
    public function __construct(
        private readonly string $savePath,
        private readonly float $lockLimit = 1.0,
        private readonly Clock $clock = new SystemClock(),
    ) {
    }

    public function read(#[\SensitiveParameter] string $sessionId): ?array
    {
        $path = $this->path($sessionId);
        if ($path === null || !is_file($path)) {
            return null;
        }
        $bytes = $this->content($path);
        return $bytes === null ? null : (new SessionDecoder())->decode($sessionId, $bytes);
    }

    private function path(#[\SensitiveParameter] string $sessionId): ?string
    {
        $parts = explode(';', $this->savePath, 3);
        $directory = end($parts) ?: sys_get_temp_dir();
        $depth = count($parts) > 1 ? (int) $parts[0] : 0;
        if (preg_match('/^[A-Za-z0-9,-]+$/D', $sessionId) !== 1 || strlen($sessionId) <= $depth) {
            return null;
        }
        for ($level = 0; $level < $depth; $level++) {
            $directory .= '/' . $sessionId[$level];
        }
        return $directory . '/sess_' . $sessionId;
    }

    private function content(#[\SensitiveParameter] string $path): ?string
    {
        $file = @fopen($path, 'rb');
        if ($file === false) {
            clearstatcache(true, $path);
            if (is_file($path)) {
                throw new SessionUnavailable('The session files cannot be read by this PHP.');
            }
            return null;
        }
        try {
            if (!$this->isTrusted($path, $file)) {
                throw new SessionUnavailable('The session file belongs to another system user, or is a link.');
            }
            $this->lock($file);
            $bytes = stream_get_contents($file);
        } finally {
            fclose($file);
        }
        return $bytes === false ? throw new SessionUnavailable('The session file cannot be read.') : $bytes;
    }

    /**
     * PHP itself takes no session file that another user laid into a shared directory; nor does this.
     *
     * @param resource $file
     */
    private function isTrusted(#[\SensitiveParameter] string $path, $file): bool
    {
        if (is_link($path)) {
            return false;
        }
        $owner = fstat($file)['uid'] ?? -1;
        return !function_exists('posix_geteuid') || posix_geteuid() === 0
            || in_array($owner, [0, posix_getuid(), posix_geteuid()], true);
    }

    /** @param resource $file */
    private function lock($file): void
    {
        $deadline = $this->clock->monotonic() + $this->lockLimit;
        while (!flock($file, LOCK_SH | LOCK_NB)) {
            if ($this->clock->monotonic() >= $deadline) {
                throw new SessionUnavailable('A page holds the session open: let it call session_write_close() early.');
            }
            $this->clock->sleep(self::PAUSE);
        }
    }
}
