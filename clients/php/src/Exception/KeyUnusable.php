<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** An RSA key cannot be used, or what was to be encrypted with it is too long. */
final class KeyUnusable extends NotifyException
{
}
