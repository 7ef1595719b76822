<?php

declare(strict_types=1);

// What the examples share: who is logged in, how events are emitted, where rights are kept.

require dirname(__DIR__, 2) . '/clients/php/autoload.php';
require __DIR__ . '/frame.php';

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Emitter;

const USERS = ['ana', 'luis'];

/** Two users in one browser: each seat has a session of its own, which begins with a user in it. */
function open_session(): void
{
    $isRight = ($_GET['seat'] ?? '') === 'right';
    session_name($isRight ? 'right' : 'left');
    session_start();
    $_SESSION += ['uid' => USERS[(int) $isRight]];
}

/** The user of the session, null after logging out. The session is not kept locked. */
function current_user(): ?string
{
    open_session();
    $user = $_SESSION['uid'];
    session_write_close();
    return $user;
}

function broker(): Emitter
{
    return new Emitter(
        getenv('ESN_EVENT_URL'),
        getenv('ESN_PUBLISH_TOKEN'),
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
