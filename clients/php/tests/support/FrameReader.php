<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** Takes the frames ''LENGTH''JSON out of a stream that comes in pieces. */
final class FrameReader
{
    private string $waiting = '';

    /** @return list<array<string, mixed>> the frames that are whole now; keep-alives are left out */
    public function read(string $piece): array
    {
        $this->waiting .= $piece;
        $frames = [];
        while (preg_match("/^\\s*''(\\d+)''/", $this->waiting, $match) === 1) {
            $start = strlen($match[0]);
            $length = (int) $match[1];
            if (strlen($this->waiting) < $start + $length) {
                break;
            }
            if ($length > 0) {
                $frames[] = json_decode(substr($this->waiting, $start, $length), true, 512, JSON_THROW_ON_ERROR);
            }
            $this->waiting = substr($this->waiting, $start + $length);
        }
        return $frames;
    }
}
