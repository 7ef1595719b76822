<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

interface Transport
{
    /**
     * Posts JSON once, or asks with GET. Redirects are not followed.
     *
     * @param list<string> $headers lines "Name: value"
     * @param string|null  $body    null: GET
     * @param float        $connect seconds for the connection
     * @param float        $total   seconds for all of it
     *
     * @throws TransportFailure when no whole answer came
     */
    public function post(string $url, array $headers, ?string $body, float $connect, float $total): HttpAnswer;
}
