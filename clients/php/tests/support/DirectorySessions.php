<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A save handler as an application may write one: a file for each session that was written. */
final class DirectorySessions implements \SessionHandlerInterface, \SessionUpdateTimestampHandlerInterface
{
    public function __construct(private readonly string $directory)
    {
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
        return (string) @file_get_contents($this->file($id));
    }

    public function write(string $id, string $data): bool
    {
        return file_put_contents($this->file($id), $data) === strlen($data);
    }

    public function destroy(string $id): bool
    {
        return @unlink($this->file($id));
    }

    public function gc(int $max_lifetime): int|false
    {
        return 0;
    }

    public function validateId(string $id): bool
    {
        return is_file($this->file($id));
    }

    public function updateTimestamp(string $id, string $data): bool
    {
        return $this->write($id, $data);
    }

    private function file(string $id): string
    {
        return "{$this->directory}/own_$id";
    }
}
