<?php

declare(strict_types=1);

namespace EsWebNotify\Exception;

/**
 * The broker refused the bind key. Usual causes: another key pair or padding than the broker's, or clocks that differ.
 */
final class BindKeyRefused extends NotifyException
{
}
