<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Exception\SessionUnavailable;

/** Lets PHP itself read the bytes of a session, in whatever format session.serialize_handler says. */
final class SessionDecoder
{
    /** @return array<string, mixed> */
    public function decode(#[\SensitiveParameter] string $sessionId, #[\SensitiveParameter] string $bytes): array
    {
        $module = session_module_name();
        $handler = new OneSession($bytes);
        if (!@session_set_save_handler($handler, false)) {
            throw new SessionUnavailable('The binding server has to look into the session before anything is put out.');
        }
        try {
            session_id($sessionId);
            $isOpen = @session_start(HandlerSessions::READ_ONLY + ['use_strict_mode' => '0']);
            $content = $_SESSION ?? [];
        } finally {
            unset($_SESSION);
            session_module_name((string) $module);
        }
        if (!$isOpen || $handler->wasDestroyed()) {
            throw new SessionUnavailable('The session cannot be decoded: is session.serialize_handler the pages\'?');
        }
        return $content;
    }
}
