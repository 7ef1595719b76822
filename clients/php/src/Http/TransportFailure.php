<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

/** No whole answer came. Emitter turns it into BrokerUnreachable; it is for those who write a Transport. */
final class TransportFailure extends \RuntimeException
{
    /** @param bool $permanent trying again cannot help: an address or a certificate that is wrong */
    public function __construct(string $message, public readonly bool $permanent = false)
    {
        parent::__construct($message);
    }
}
