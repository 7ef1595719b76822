<?php

declare(strict_types=1);

// For applications without Composer: require this file once instead of vendor/autoload.php.
spl_autoload_register(static function (string $class): void {
    $prefix = 'EsWebNotify\\';
    if (!str_starts_with($class, $prefix)) {
        return;
    }
    $file = __DIR__ . '/src/' . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
    if (is_file($file)) {
        require $file;
    }
});
