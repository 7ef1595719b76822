<?php

declare(strict_types=1);

require dirname(__DIR__) . '/autoload.php';

spl_autoload_register(static function (string $class): void {
    $prefix = 'EsWebNotify\\Tests\\';
    if (!str_starts_with($class, $prefix)) {
        return;
    }
    $parts = explode('\\', substr($class, strlen($prefix)));
    $name = array_pop($parts);
    $folder = strtolower(implode('/', $parts));
    $file = __DIR__ . "/$folder/$name.php";
    if (is_file($file)) {
        require $file;
    }
});
