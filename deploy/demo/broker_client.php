<?php

declare(strict_types=1);

// What the examples share: who is logged in, how events are emitted, where rights are kept.

require dirname(__DIR__, 2) . '/clients/php/autoload.php';

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Emitter;

const USERS = ['ana', 'luis'];

/** Two users in one browser: each seat has a session of its own. */
function open_session(): void
{
    session_name(($_GET['seat'] ?? '') === 'right' ? 'right' : 'left');
    session_start();
}

/** The user of the session, null before the login. The session is not kept locked. */
function current_user(): ?string
{
    open_session();
    $user = $_SESSION['uid'] ?? null;
    session_write_close();
    return $user;
}

function broker(): Emitter
{
    return new Emitter(
        getenv('ESN_EVENT_URL'),
        bindKeys: BindKeyMaker::fromPublicKey(getenv('ESN_PUBLISH_PUBLIC_KEY')),
    );
}

function rights(): PDO
{
    return new PDO(getenv('ESN_RIGHTS_DSN'), getenv('ESN_RIGHTS_USER') ?: null, getenv('ESN_RIGHTS_PASSWORD') ?: null);
}

/** What a page of the examples has sent. A page of another site can't send JSON here without being asked first. */
function posted(): array
{
    $body = json_decode(file_get_contents('php://input'), true);
    if (($_SERVER['CONTENT_TYPE'] ?? '') === 'application/json' && is_array($body)) {
        return $body;
    }
    http_response_code(400);
    exit;
}

function answer(array $what): void
{
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    echo json_encode($what);
}

/** The head of a page, up to <main>. */
function begin_page(string $title, ?string $script, string $style = '../examples.css'): void
{
    // The broker's own address is for the case that subscribers are redirected to it.
    header("Content-Security-Policy: default-src 'self'; connect-src 'self' " . getenv('ESN_FANOUT_URL') . "; base-uri 'none'; form-action 'self'; frame-ancestors 'self'");
    header('X-Content-Type-Options: nosniff');
    $title = htmlspecialchars($title);
    $script = $script === null ? '' : "<script type=\"module\" src=\"$script\"></script>\n";
    echo <<<END
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <title>$title</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="../icon.svg" type="image/svg+xml">
        <link rel="stylesheet" href="$style">
        $script</head>
        <body>

        END;
}
