<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

final class TemporaryDirectory
{
    public readonly string $path;

    public function __construct()
    {
        $this->path = sys_get_temp_dir() . '/esn-php-' . bin2hex(random_bytes(8));
        if (!mkdir($this->path, 0700)) {
            throw new \RuntimeException("Cannot make {$this->path}");
        }
    }

    public function file(string $name, string $content): string
    {
        $path = "{$this->path}/$name";
        if (file_put_contents($path, $content, LOCK_EX) !== strlen($content)) {
            throw new \RuntimeException("Cannot write $path");
        }
        return $path;
    }

    /** @return list<string> paths of all files below, sorted */
    public function files(string $below = ''): array
    {
        $found = [];
        $all = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($this->path . $below, \FilesystemIterator::SKIP_DOTS),
        );
        foreach ($all as $file) {
            $found[] = (string) $file;
        }
        sort($found);
        return $found;
    }

    public function remove(): void
    {
        $all = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($this->path, \FilesystemIterator::SKIP_DOTS),
            \RecursiveIteratorIterator::CHILD_FIRST,
        );
        foreach ($all as $file) {
            $file->isDir() && !$file->isLink() ? rmdir((string) $file) : unlink((string) $file);
        }
        rmdir($this->path);
    }
}
