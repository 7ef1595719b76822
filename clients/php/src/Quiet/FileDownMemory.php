<?php

declare(strict_types=1);

namespace EsWebNotify\Quiet;

use EsWebNotify\Http\Address;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;

/**
 * Remembers in a small file, which holds the moment until which the broker counts as down. Where no file can be
 * written nothing is remembered and each page tries for itself.
 */
final class FileDownMemory implements DownMemory
{
    private const LONGEST = 60.0;

    private bool $marked = false;

    /** @param float $hold seconds for which the broker then counts as down */
    public function __construct(
        private readonly string $file,
        private readonly float $hold = 5.0,
        private readonly Clock $clock = new SystemClock(),
    ) {
    }

    /** One file for each broker and system user, in the directory for temporary files. */
    public static function forUrl(#[\SensitiveParameter] string $url, Clock $clock = new SystemClock()): self
    {
        $name = substr(hash('sha256', Address::forPeople($url)), 0, 16);
        return new self(sprintf('%s/esn-down-%s-%s', sys_get_temp_dir(), self::systemUser(), $name), clock: $clock);
    }

    public function mayTry(): bool
    {
        $until = $this->until();
        $this->marked = $until !== null;
        if ($until === null) {
            return true;
        }
        $left = $until - $this->clock->unixTime();
        // A moment further away than any that is written here comes from a clock that was set back.
        if ($left > 0.0 && $left <= max($this->hold, self::LONGEST)) {
            return false;
        }
        $this->down();
        return true;
    }

    public function down(?int $retryAfter = null): void
    {
        $seconds = max($this->hold, min((float) $retryAfter, self::LONGEST));
        $this->marked = true;
        // Renamed into place, so that no reader sees half of it and no link laid there by another user is followed.
        $new = @tempnam(dirname($this->file), 'esn-down-');
        if ($new === false) {
            return;
        }
        $text = sprintf('%.3F', $this->clock->unixTime() + $seconds);
        if (@file_put_contents($new, $text) !== strlen($text) || !@rename($new, $this->file)) {
            @unlink($new);
        }
    }

    public function up(): void
    {
        if ($this->marked) {
            @unlink($this->file);
            $this->marked = false;
        }
    }

    private function until(): ?float
    {
        clearstatcache(true, $this->file);
        if (!is_file($this->file) || !$this->isOurs()) {
            return null;
        }
        $text = @file_get_contents($this->file, false, null, 0, 32);
        return is_string($text) && is_numeric($text) ? (float) $text : null;
    }

    private function isOurs(): bool
    {
        return !function_exists('posix_geteuid') || @fileowner($this->file) === posix_geteuid();
    }

    private static function systemUser(): string
    {
        return function_exists('posix_geteuid') ? (string) posix_geteuid() : get_current_user();
    }
}
