<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A program beside the test, its output in a file; ended with the object. */
final class Process
{
    /** @var resource */
    private $process;

    /**
     * @param list<string>          $command
     * @param array<string, string> $environment beside the test's own
     */
    public function __construct(array $command, private readonly string $log, array $environment = [])
    {
        $output = ['file', $log, 'a'];
        $process = proc_open(
            $command,
            [['file', '/dev/null', 'r'], $output, $output],
            $pipes,
            null,
            $environment + getenv(),
        );
        if ($process === false) {
            throw new \RuntimeException('Cannot start ' . $command[0]);
        }
        $this->process = $process;
    }

    /**
     * Waits for a line of output that matches.
     *
     * @return array<int|string, string> what the pattern caught
     */
    public function waitForOutput(string $pattern): array
    {
        $match = [];
        Wait::until(function () use ($pattern, &$match): bool {
            $output = (string) file_get_contents($this->log);
            if (preg_match($pattern, $output, $match) === 1) {
                return true;
            }
            return $this->isRunning() ? false : throw new \RuntimeException("Ended early:\n$output");
        }, "output like $pattern");
        return $match;
    }

    public function isRunning(): bool
    {
        return proc_get_status($this->process)['running'];
    }

    public function stop(): void
    {
        if (is_resource($this->process)) {
            // Not killed: php-fpm would leave its workers behind.
            proc_terminate($this->process);
            proc_close($this->process);
        }
    }

    public function __destruct()
    {
        $this->stop();
    }
}
