<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\BindKey\BindKeyReader;
use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\Exception\SessionUnavailable;
use EsWebNotify\SessionName;
use EsWebNotify\UserId;

/** Answers the broker's question whose session a bind key names. A PHP page of its own calls respond(). */
final class BindingServer
{
    /** The answer for every bind key that is not valid or whose session is gone: one for all. */
    private const INVALID = '""';
    private const MAX_QUESTION_BYTES = 4096;

    private readonly \Closure $userOf;
    private readonly \Closure $report;

    /**
     * @param \Closure|string $userOf the key of $_SESSION where the user's id is; or a function that gets the session
     *                                as an array and returns the id, null for a session without a user, false to
     *                                refuse, or an Identity
     * @param (\Closure(string): void)|null $report called with why a bind key was refused; default: PHP's error log
     */
    public function __construct(
        private readonly BindKeyReader $bindKeys,
        \Closure|string $userOf,
        private readonly SessionReader $sessions = new PhpSessions(),
        ?\Closure $report = null,
    ) {
        $this->report = $report ?? static function (string $why): void {
            error_log("es-web-notify binding server: $why");
        };
        $this->userOf = is_string($userOf)
            ? static fn (array $session): mixed => $session[$userOf] ?? null
            : $userOf;
    }

    /** Reads the request, whatever its method, and answers it. Problems are said in PHP's error log alone. */
    public function respond(): void
    {
        // A warning printed into the answer would make it nonsense.
        ini_set('display_errors', '0');
        $question = file_get_contents('php://input', false, null, 0, self::MAX_QUESTION_BYTES + 1);
        $status = 200;
        try {
            $answer = $this->answer((string) $question);
        } catch (\Throwable $problem) {
            error_log('es-web-notify binding server: ' . $problem->getMessage());
            [$status, $answer] = [503, self::json(UserId::REFUSED)];
        }
        http_response_code($status);
        header('Content-Type: application/json');
        header('Cache-Control: no-store');
        echo $answer;
    }

    /**
     * The JSON text that answers a bind key.
     *
     * @throws SessionUnavailable when it cannot be said now
     * @throws InvalidUser        when the application has given something that cannot be a user's id
     */
    public function answer(#[\SensitiveParameter] string $bindKey): string
    {
        $sessionId = $this->bindKeys->sessionId($bindKey, $why);
        $session = $sessionId === null ? null : $this->sessions->read($sessionId);
        if ($session === null) {
            $why ??= 'there is no session of its id here: it has ended, or session.save_handler and save_path are not the pages\'';
            ($this->report)("bind key refused: $why");
            return self::INVALID;
        }
        $user = ($this->userOf)($session);
        return match (true) {
            $user === false => self::json(UserId::REFUSED),
            $user instanceof Identity => self::json($user->answer(SessionName::of($sessionId))),
            $user === null, is_string($user), is_int($user) => self::json((new Identity($user))->answer(SessionName::of($sessionId))),
            default => throw new InvalidUser('A user id is a string or an integer, not ' . get_debug_type($user) . '.'),
        };
    }

    /** @param string|array<string, mixed> $answer */
    private static function json(string|array $answer): string
    {
        return json_encode($answer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION);
    }
}
