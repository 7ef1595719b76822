<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\InvalidUser;

/** The words that stand for users on the wire, and what a real user's id may be. */
final class UserId
{
    /** Bound, but the session has no user. */
    public const NOBODY = '[][][]';
    /** The application does not want this session bound. */
    public const REFUSED = '__DONT__';

    private const MAX_BYTES = 255;
    private const RESERVED = ['', '+', '*', self::NOBODY, self::REFUSED];

    /**
     * The id as it goes over the wire; null stands for a session without a user.
     *
     * @throws InvalidUser when a user's id would read as one of the reserved words
     */
    public static function onTheWire(string|int|null $user): string
    {
        if ($user === null) {
            return self::NOBODY;
        }
        $id = (string) $user;
        if (in_array($id, self::RESERVED, true)) {
            throw new InvalidUser('A user id may not be empty nor one of + * [][][] __DONT__.');
        }
        if (strlen($id) > self::MAX_BYTES || str_contains($id, "\0") || preg_match('//u', $id) !== 1) {
            throw new InvalidUser('A user id has to be UTF-8 text of at most 255 bytes without NUL.');
        }
        return $id;
    }

    private function __construct()
    {
    }
}
