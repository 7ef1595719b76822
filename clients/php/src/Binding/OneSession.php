<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

/** A save handler that holds the bytes of one session and keeps nothing. */
final class OneSession implements \SessionHandlerInterface
{
    private bool $destroyed = false;

    public function __construct(private readonly string $bytes)
    {
    }

    /** PHP destroys a session that it cannot decode. */
    public function wasDestroyed(): bool
    {
        return $this->destroyed;
    }

    public function open(string $path, string $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read(string $id): string|false
    {
        return $this->bytes;
    }

    public function write(string $id, string $data): bool
    {
        return true;
    }

    public function destroy(string $id): bool
    {
        $this->destroyed = true;
        return true;
    }

    public function gc(int $max_lifetime): int|false
    {
        return 0;
    }
}
