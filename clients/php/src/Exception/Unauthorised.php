<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** The broker does not know the entry token, or the address is wrong: it answers both alike. */
final class Unauthorised extends NotifyException
{
}
