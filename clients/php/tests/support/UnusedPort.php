<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A port at which nobody can listen as long as this object lives: connections to it are refused. */
final class UnusedPort
{
    public readonly string $url;
    private readonly \Socket $socket;

    public function __construct()
    {
        $this->socket = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
        socket_bind($this->socket, '127.0.0.1', 0);
        socket_getsockname($this->socket, $address, $port);
        $this->url = "http://$address:$port/event";
    }
}
