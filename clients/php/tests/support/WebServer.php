<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** PHP's built-in web server on a free port. */
final class WebServer
{
    public readonly string $url;
    private readonly Process $process;

    /**
     * @param string                $site        a directory of pages, or one router script
     * @param array<string, string> $settings    of php.ini
     * @param array<string, string> $environment
     */
    public function __construct(string $site, string $log, array $settings = [], array $environment = [])
    {
        $command = [PHP_BINARY, '-S', '127.0.0.1:0'];
        foreach ($settings as $name => $value) {
            array_push($command, '-d', "$name=\"$value\"");
        }
        array_push($command, ...(is_dir($site) ? ['-t', $site] : [$site]));
        $this->process = new Process($command, $log, $environment);
        $this->url = $this->process->waitForOutput('~\((http://127\.0\.0\.1:\d+)\) started~')[1];
    }

    public function stop(): void
    {
        $this->process->stop();
    }
}
