<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A broker that answers as its script says, request by request, and keeps what it was asked. */
final class ScriptedPeer
{
    public readonly string $url;
    private readonly TemporaryDirectory $directory;
    private readonly WebServer $server;

    /**
     * @param list<array{status?: int, headers?: list<string>, body?: string, hold?: bool}> $script
     *        one for each request; "hold": no answer before release() was called
     */
    public function __construct(array $script)
    {
        $this->directory = new TemporaryDirectory();
        $this->directory->file('script.json', json_encode($script, JSON_THROW_ON_ERROR));
        $this->server = new WebServer(
            __DIR__ . '/scripted-peer.php',
            $this->directory->path . '/server.log',
            [],
            ['ESN_PEER_DIRECTORY' => $this->directory->path],
        );
        $this->url = $this->server->url . '/event';
    }

    /** @return list<array{method: string, uri: string, headers: array<string, string>, body: string}> */
    public function requests(): array
    {
        $lines = @file($this->directory->path . '/requests', FILE_IGNORE_NEW_LINES) ?: [];
        return array_map(static fn (string $line): array => json_decode($line, true, 8, JSON_THROW_ON_ERROR), $lines);
    }

    public function release(): void
    {
        $this->directory->file('released', '1');
    }

    public function stop(): void
    {
        $this->server->stop();
        $this->directory->remove();
    }
}
