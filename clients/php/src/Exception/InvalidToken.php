<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** A token or ticket of this kind cannot be: the broker would refuse it. Trying again does not help. */
final class InvalidToken extends NotifyException
{
}
