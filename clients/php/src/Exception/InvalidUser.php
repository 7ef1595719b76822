<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** This cannot be a user's id. Trying again does not help. */
final class InvalidUser extends NotifyException
{
}
