<?php

declare(strict_types=1);

// Serves one connection after the other, in the manner that its argument says; see RawPeer.

const ANSWER = '{"id":"1-1","receivers":0,"ep":[{"topic":"a","result":"sent","receivers":0}]}';

/** @param resource $connection */
function read_request($connection): bool
{
    $length = 0;
    while (($line = fgets($connection)) !== false) {
        if (preg_match('/^content-length:\s*(\d+)/i', $line, $match) === 1) {
            $length = (int) $match[1];
        }
        if (rtrim($line) === '') {
            return $length === 0 || stream_get_contents($connection, $length) !== false;
        }
    }
    return false;
}

/** @param resource $connection */
function serve($connection, string $manner): void
{
    while (read_request($connection)) {
        $head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        switch ($manner) {
            case 'keep-alive':
                fwrite($connection, $head . 'Content-Length: ' . strlen(ANSWER) . "\r\n\r\n" . ANSWER);
                break;
            case 'hang-up':
                return;
            case 'cut':
                fwrite($connection, $head . "Content-Length: 1000\r\n\r\n" . ANSWER);
                return;
            case 'endless':
                fwrite($connection, $head . "\r\n");
                while (@fwrite($connection, str_repeat(' ', 65536)) !== false) {
                    continue;
                }
                return;
        }
    }
}

$context = stream_context_create(['ssl' => ['local_cert' => $argv[2] ?? '']]);
$address = (isset($argv[2]) ? 'tls' : 'tcp') . '://127.0.0.1:0';
$server = stream_socket_server($address, $code, $message, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
echo 'listening ', stream_socket_get_name($server, false), "\n";
while (true) {
    $connection = @stream_socket_accept($server, 3600.0);
    if ($connection !== false) {
        echo "connection\n";
        serve($connection, $argv[1]);
        fclose($connection);
    }
}
