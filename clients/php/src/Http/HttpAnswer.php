<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

final class HttpAnswer
{
    /** @param array<string, string> $headers names in lower case */
    public function __construct(
        public readonly int $status,
        public readonly array $headers,
        public readonly string $body,
    ) {
    }

    /** Seconds of Retry-After, null when there is none in seconds. */
    public function retryAfter(): ?int
    {
        $value = trim($this->headers['retry-after'] ?? '');
        return preg_match('/^\d{1,6}$/', $value) === 1 ? (int) $value : null;
    }

    /**
     * The body as a JSON object, null when it is none.
     *
     * @return array<string, mixed>|null
     */
    public function jsonObject(): ?array
    {
        if (!str_starts_with(ltrim($this->body), '{')) {
            return null;
        }
        $value = json_decode($this->body, true);
        return is_array($value) ? $value : null;
    }
}
