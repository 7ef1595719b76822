<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Tests\Support\FrameReader;
use PHPUnit\Framework\TestCase;

/** The integration tests lean on it. */
final class FrameReaderTest extends TestCase
{
    public function testFramesInPieces(): void
    {
        $stream = "''7''{\"a\":1} \n''0''''20''{\"b\":\"\\u0027\\u0027\"}''2''[]";
        for ($size = 1; $size <= strlen($stream); $size++) {
            $reader = new FrameReader();
            $frames = array_merge(...array_map($reader->read(...), str_split($stream, $size)));
            self::assertSame([['a' => 1], ['b' => "''"], []], $frames);
        }
    }
}
