<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A php-fpm of the test's own, asked over FastCGI: it passes any request method, as behind a real web server. */
final class FpmPool
{
    private const BEGIN = 1;
    private const PARAMS = 4;
    private const STDIN = 5;
    private const STDOUT = 6;

    private readonly string $socket;
    private readonly Process $process;

    /**
     * @param array<string, string> $settings    of php.ini
     * @param array<string, string> $environment
     */
    public function __construct(TemporaryDirectory $directory, array $settings, array $environment)
    {
        $this->socket = $directory->path . '/fpm.sock';
        $user = posix_getpwuid(posix_geteuid())['name'];
        $pool = ["[global]", "daemonize = no", "error_log = /proc/self/fd/2", "[test]", "user = $user",
            "listen = {$this->socket}", "pm = static", "pm.max_children = 1", 'catch_workers_output = yes'];
        foreach ($settings as $name => $value) {
            $pool[] = "php_admin_value[$name] = \"$value\"";
        }
        foreach ($environment as $name => $value) {
            $pool[] = "env[$name] = \"$value\"";
        }
        $file = $directory->file('fpm.conf', implode("\n", $pool) . "\n");
        $command = [self::program(), '--nodaemonize', '--allow-to-run-as-root', '--fpm-config', $file];
        $this->process = new Process($command, $directory->path . '/fpm.output');
        $this->process->waitForOutput('/ready to handle connections/');
    }

    public function stop(): void
    {
        $this->process->stop();
    }

    /** @return array{status: int, headers: string, body: string} */
    public function request(string $method, string $script, string $body): array
    {
        $connection = stream_socket_client("unix://{$this->socket}", $code, $message, 30.0);
        $parameters = [
            'REQUEST_METHOD' => $method, 'SCRIPT_FILENAME' => $script, 'CONTENT_LENGTH' => (string) strlen($body),
            'CONTENT_TYPE' => 'text/plain', 'SERVER_PROTOCOL' => 'HTTP/1.1',
        ];
        $encoded = '';
        foreach ($parameters as $name => $value) {
            $encoded .= pack('NN', strlen($name) | 1 << 31, strlen($value) | 1 << 31) . $name . $value;
        }
        $request = self::record(self::BEGIN, pack('nCx5', 1, 0)) . self::record(self::PARAMS, $encoded)
            . self::record(self::PARAMS, '');
        foreach (str_split($body, 32_000) as $piece) {
            $request .= $piece === '' ? '' : self::record(self::STDIN, $piece);
        }
        fwrite($connection, $request . self::record(self::STDIN, ''));
        return self::parse(self::output((string) stream_get_contents($connection)));
    }

    private static function record(int $type, string $content): string
    {
        return pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    }

    /** What the script wrote, out of the records of the answer. */
    private static function output(string $records): string
    {
        $output = '';
        for ($at = 0; $at + 8 <= strlen($records); $at += 8 + $head['length'] + $head['padding']) {
            $head = unpack('Cversion/Ctype/nid/nlength/Cpadding', $records, $at);
            if ($head['type'] === self::STDOUT) {
                $output .= substr($records, $at + 8, $head['length']);
            }
        }
        return $output;
    }

    /** @return array{status: int, headers: string, body: string} */
    private static function parse(string $output): array
    {
        [$headers, $body] = explode("\r\n\r\n", $output, 2) + [1 => ''];
        $status = preg_match('/^Status: (\d+)/mi', $headers, $match) === 1 ? (int) $match[1] : 200;
        return compact('status', 'headers', 'body');
    }

    private static function program(): string
    {
        $names = ['php-fpm' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION, 'php-fpm'];
        foreach ($names as $name) {
            foreach (['/usr/sbin', '/usr/local/sbin', PHP_BINDIR] as $directory) {
                if (is_executable("$directory/$name")) {
                    return "$directory/$name";
                }
            }
        }
        throw new \RuntimeException('php-fpm is missing: install the package php-fpm');
    }
}
