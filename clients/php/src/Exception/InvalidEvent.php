<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/**
 * What was to be emitted is not valid: found here (status 0) or by the broker (400, 413). Trying again does not help.
 */
final class InvalidEvent extends NotifyException
{
}
