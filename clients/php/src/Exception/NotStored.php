<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/** An event did not come into the outbox: roll the transaction back. */
final class NotStored extends NotifyException
{
}
