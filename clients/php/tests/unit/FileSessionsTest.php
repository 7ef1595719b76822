<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Binding\FileSessions;
use EsWebNotify\Exception\SessionUnavailable;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\TemporaryDirectory;
use EsWebNotify\Time\Clock;
use PHPUnit\Framework\TestCase;

final class FileSessionsTest extends TestCase
{
    private TemporaryDirectory $directory;
    /** @var resource a page that holds the session */
    private $held;

    protected function setUp(): void
    {
        $this->directory = new TemporaryDirectory();
        $this->held = fopen($this->directory->file('sess_x', ''), 'r+');
        flock($this->held, LOCK_EX);
    }

    protected function tearDown(): void
    {
        fclose($this->held);
        $this->directory->remove();
    }

    public function testASessionThatAPageLetsGoInTimeIsRead(): void
    {
        $clock = new class ($this->held) implements Clock {
            /** @param resource $held */
            public function __construct(private $held)
            {
            }

            public function monotonic(): float
            {
                return 7.0;
            }

            public function unixTime(): float
            {
                return 1_700_000_000.0;
            }

            public function sleep(float $seconds): void
            {
                flock($this->held, LOCK_UN);
            }
        };

        self::assertSame([], (new FileSessions($this->directory->path, 1.0, $clock))->read('x'));
    }

    public function testASessionThatAPageHoldsIsWaitedForAsLongAsTheLimitSays(): void
    {
        $clock = new FakeClock();
        $clock->advance(7.0);
        try {
            (new FileSessions($this->directory->path, 1.0, $clock))->read('x');
            self::fail('The page holds it.');
        } catch (SessionUnavailable) {
            self::assertEqualsWithDelta(1.0, array_sum($clock->slept), 0.1);
        }
    }

    /** PHP without its module posix, as the images of some containers have it. */
    public function testWithoutPosixFilesAreReadAllTheSame(): void
    {
        flock($this->held, LOCK_UN);
        $code = 'require $argv[1]; echo json_encode((new EsWebNotify\\Binding\\FileSessions($argv[2]))->read("x"));';
        $words = [PHP_BINARY, '-d', 'disable_functions=posix_geteuid,posix_getuid', '-r', $code,
            __DIR__ . '/../../autoload.php', $this->directory->path];
        exec(implode(' ', array_map(escapeshellarg(...), $words)) . ' 2>&1', $lines, $status);

        self::assertSame([0, ['[]']], [$status, $lines]);
    }
}
