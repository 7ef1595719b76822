<?php

declare(strict_types=1);

namespace EsWebNotify\Quiet;

/** The moment when the page is answered and PHP is still there. */
final class ResponseEnd
{
    /** Of the servers that let a script go on behind its answer: php-fpm, LiteSpeed, FrankenPHP. */
    private const FINISHING = ['fastcgi_finish_request', 'litespeed_finish_request', 'frankenphp_finish_request'];

    private int $pid = 0;

    /** Whether somebody waits for it in this process. */
    public function isAwaited(): bool
    {
        return $this->pid === getmypid();
    }

    /** Calls $then once, when the page has ended: by itself, by exit, or by an error. */
    public function await(\Closure $then): void
    {
        $pid = $this->pid = (int) getmypid();
        $last = static function () use ($pid, $then): void {
            if ($pid === getmypid()) {
                self::answer();
                $then();
            }
        };
        // The shutdown functions of the page come first, whenever they were registered: they may still write to it.
        register_shutdown_function(static fn () => register_shutdown_function($last));
    }

    private static function answer(): void
    {
        ignore_user_abort(true);
        $finish = array_values(array_filter(self::FINISHING, 'function_exists'));
        if ($finish !== []) {
            $finish[0]();
        } elseif (!in_array(PHP_SAPI, ['cli', 'phpdbg', 'embed'], true)) {
            // The answer stays open until the script is over; what there is of it is at least seen.
            while (ob_get_level() > 0 && @ob_end_flush()) {
                continue;
            }
            flush();
        }
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_write_close(); // the user's next page would wait for it
        }
    }
}
