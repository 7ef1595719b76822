<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Exception\SessionUnavailable;

/** Looks into sessions by their id; never makes, changes or prolongs one. */
interface SessionReader
{
    /**
     * @return array<string, mixed>|null what is in the session; null when there is none of this id
     *
     * @throws SessionUnavailable when that cannot be said now
     */
    public function read(#[\SensitiveParameter] string $sessionId): ?array;
}
