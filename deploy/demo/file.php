<?php

// A document or a source file of the project as text: ?name=docs/protocol.md

declare(strict_types=1);

const SHOWN = '~^(README\.md|(docs|clients/js/src|clients/php/src|deploy/demo)(/[\w-]+)+\.(md|php|js|css))$~D';

$name = $_GET['name'] ?? '';
$top = dirname(__DIR__, 2);
$path = is_string($name) && preg_match(SHOWN, $name) === 1 ? realpath("$top/$name") : false;
header('X-Content-Type-Options: nosniff');
header('Content-Type: text/plain; charset=utf-8');
if ($path === false || !str_starts_with($path, realpath($top) . '/') || !is_file($path)) {
    http_response_code(404);
    echo "There is no such file.\n";
    exit;
}
readfile($path);
