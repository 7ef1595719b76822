<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** It cannot be said now whether there is such a session and whose it is. */
final class SessionUnavailable extends NotifyException
{
}
