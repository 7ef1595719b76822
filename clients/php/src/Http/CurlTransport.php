<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

/** Posts and asks with one curl handle, whose connection stays open from one post to the next. */
final class CurlTransport implements Transport
{
    private const MAX_ANSWER_BYTES = 4_000_000;

    /** Errors of address, certificate or settings: the same the next time. */
    private const PERMANENT = [
        CURLE_UNSUPPORTED_PROTOCOL,
        CURLE_URL_MALFORMAT,
        CURLE_SSL_CACERT,
        CURLE_SSL_CERTPROBLEM,
        CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH,
        CURLE_WRITE_ERROR,
    ];

    private static ?self $shared = null;

    private ?\CurlHandle $handle = null;
    private int $ownerPid = 0;
    /** @var list<\CurlHandle> of a parent process: kept, since closing them would say goodbye on its connections */
    private array $inherited = [];

    /** @param string|null $caFile certificates to trust instead of the system's */
    public function __construct(
        private readonly ?string $caFile = null,
        private readonly NameLookup $names = new NameLookup(),
    ) {
    }

    /** The one of this process. */
    public static function shared(): self
    {
        return self::$shared ??= new self();
    }

    public function post(string $url, array $headers, ?string $body, float $connect, float $total): HttpAnswer
    {
        $handle = $this->handle();
        [$naming, $total] = $this->naming($url, $connect, $total);
        $answerHeaders = [];
        $answerBody = '';
        // Reset clears options, and leaves the connection open.
        curl_reset($handle);
        curl_setopt_array($handle, $this->options($url, $headers, $body, $connect, $total) + $naming + [
            CURLOPT_HEADERFUNCTION => static function ($handle, string $line) use (&$answerHeaders): int {
                if (str_starts_with($line, 'HTTP/')) {
                    $answerHeaders = [];
                } elseif (str_contains($line, ':')) {
                    [$name, $value] = explode(':', $line, 2);
                    $answerHeaders[strtolower(trim($name))] = trim($value);
                }
                return strlen($line);
            },
            CURLOPT_WRITEFUNCTION => static function ($handle, string $piece) use (&$answerBody): int {
                $answerBody .= $piece;
                return strlen($answerBody) <= self::MAX_ANSWER_BYTES ? strlen($piece) : 0;
            },
        ]);
        if (curl_exec($handle) === false) {
            $code = curl_errno($handle);
            throw new TransportFailure(self::reason($handle, $code), in_array($code, self::PERMANENT, true));
        }
        return new HttpAnswer(curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $answerHeaders, $answerBody);
    }

    /**
     * @param list<string> $headers
     *
     * @return array<int, mixed>
     */
    private function options(string $url, array $headers, ?string $body, float $connect, float $total): array
    {
        $options = [
            CURLOPT_URL => $url,
            // An empty Expect keeps curl from waiting for "100 Continue" before it sends a large body.
            CURLOPT_HTTPHEADER => [...$headers, 'Expect:'],
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_CONNECTTIMEOUT_MS => self::milliseconds($connect),
            CURLOPT_TIMEOUT_MS => self::milliseconds($total),
        ];
        $options += $body === null ? [CURLOPT_HTTPGET => true] : [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body];
        return $this->caFile === null ? $options : $options + [CURLOPT_CAINFO => $this->caFile];
    }

    /**
     * How curl comes to an address without waiting for a silent name server.
     *
     * @return array{array<int, mixed>, float} options, and the seconds that are left
     */
    private function naming(#[\SensitiveParameter] string $url, float $connect, float $total): array
    {
        if (!NameLookup::isNeeded()) {
            return [[constant('CURLOPT_QUICK_EXIT') => true], $total];
        }
        $began = microtime(true);
        $addresses = $this->names->forCurl($url, min($connect, $total));
        return [$addresses === [] ? [] : [CURLOPT_RESOLVE => $addresses], $total - (microtime(true) - $began)];
    }

    private function handle(): \CurlHandle
    {
        $pid = (int) getmypid();
        if ($this->handle !== null && $this->ownerPid !== $pid) {
            $this->inherited[] = $this->handle;
            $this->handle = null;
        }
        if ($this->handle === null) {
            $this->handle = curl_init() ?: throw new TransportFailure('curl cannot be started', true);
            $this->ownerPid = $pid;
        }
        return $this->handle;
    }

    private static function reason(\CurlHandle $handle, int $code): string
    {
        return $code === CURLE_WRITE_ERROR
            ? 'the answer is longer than any of the broker\'s'
            : sprintf('%s (curl %d)', curl_error($handle) ?: curl_strerror($code) ?? 'unknown', $code);
    }

    /** Never 0, which means "no limit" to curl. */
    private static function milliseconds(float $seconds): int
    {
        return max(1, (int) ceil($seconds * 1000));
    }
}
