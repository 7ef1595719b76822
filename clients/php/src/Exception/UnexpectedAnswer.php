<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** Something answered that does not speak as the broker does. Usual cause: a wrong address. */
final class UnexpectedAnswer extends NotifyException
{
}
