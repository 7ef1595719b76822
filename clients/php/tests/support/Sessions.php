<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** Sessions laid where the binding server's PHP keeps its own, in the format "php". */
final class Sessions
{
    private readonly string $directory;
    private readonly string $userKey;
    /** @var list<string> */
    private array $files = [];

    public function __construct()
    {
        $meaning = 'session.save_path of the PHP that runs the binding server, a plain directory';
        $this->directory = Stack::variable('ESN_SESSION_PATH', $meaning);
        $this->userKey = getenv('ESN_SESSION_USER_KEY') ?: 'uid';
    }

    /** @return string the id of a new session of the user; null: of a visitor without user */
    public function open(?string $user): string
    {
        $id = bin2hex(random_bytes(16));
        $file = "{$this->directory}/sess_$id";
        $content = $user === null ? '' : $this->userKey . '|' . serialize($user);
        if (file_put_contents($file, $content) !== strlen($content)) {
            throw new \RuntimeException("Cannot write $file");
        }
        $this->files[] = $file;
        $owner = fileowner($this->directory);
        if (posix_geteuid() === 0 && $owner !== false) {
            chown($file, $owner);
        }
        return $id;
    }

    public function closeAll(): void
    {
        array_map('unlink', array_filter($this->files, 'is_file'));
        $this->files = [];
    }
}
