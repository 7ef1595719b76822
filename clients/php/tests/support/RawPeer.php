<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A peer that handles the connection itself, for what the built-in web server never does; see raw-peer.php. */
final class RawPeer
{
    public readonly string $url;
    private readonly TemporaryDirectory $directory;
    private readonly Process $process;

    /**
     * @param string      $manner      "keep-alive", "hang-up", "cut" or "endless"
     * @param string|null $certificate file with certificate and key, for HTTPS
     */
    public function __construct(string $manner, ?string $certificate = null)
    {
        $this->directory = new TemporaryDirectory();
        $this->process = new Process(
            [PHP_BINARY, __DIR__ . '/raw-peer.php', $manner, ...($certificate === null ? [] : [$certificate])],
            $this->directory->path . '/log',
        );
        $scheme = $certificate === null ? 'http' : 'https';
        $this->url = "$scheme://{$this->process->waitForOutput('/^listening (\S+)\n/')[1]}/event";
    }

    public function connections(): int
    {
        return preg_match_all('/^connection$/m', (string) file_get_contents($this->directory->path . '/log'));
    }

    public function stop(): void
    {
        $this->process->stop();
        $this->directory->remove();
    }
}
