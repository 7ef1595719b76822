<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\Transport;
use EsWebNotify\Http\TransportFailure;

/** Answers as told, the last one for ever, and keeps what it was sent. */
final class FakeTransport implements Transport
{
    /** @var list<array{url: string, headers: list<string>, body: ?string, connect: float, total: float}> */
    public array $posts = [];
    /** @var list<HttpAnswer|TransportFailure> */
    private array $script;

    public function __construct(HttpAnswer|TransportFailure ...$script)
    {
        $this->script = array_values($script);
    }

    public function post(string $url, array $headers, ?string $body, float $connect, float $total): HttpAnswer
    {
        $this->posts[] = compact('url', 'headers', 'body', 'connect', 'total');
        $outcome = count($this->script) > 1 ? array_shift($this->script) : $this->script[0];
        return $outcome instanceof TransportFailure ? throw $outcome : $outcome;
    }

    public function body(int $post): array
    {
        return json_decode($this->posts[$post]['body'], true, 512, JSON_THROW_ON_ERROR);
    }
}
