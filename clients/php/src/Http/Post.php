<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

/** What is posted, once; without a body, what is asked. */
final class Post
{
    /** @param list<string> $headers lines "Name: value" */
    public function __construct(public readonly array $headers, public readonly ?string $body)
    {
    }
}
