<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

/**
 * Looks names up within a time limit. PHP and curl have none for that: a name server that is silent holds up whoever asks
 * for ten seconds and more, since curl waits for its own thread (https://curl.se/libcurl/c/CURLOPT_QUICK_EXIT.html,
 * which PHP knows from 8.3 on). A process of its own can be left behind: getent(1), which asks as all programs do.
 */
final class NameLookup
{
    /** Seconds for which an address is remembered. */
    private const REMEMBERED = 60;

    /** @var array<string, array{list<string>, float}> addresses of a name, and until when they are good */
    private array $known = [];

    /** @param list<string> $command what is given the name, and prints lines that begin with an address */
    public function __construct(private readonly array $command = ['getent', 'ahosts'])
    {
    }

    /** False: curl keeps to its limits by itself. */
    public static function isNeeded(): bool
    {
        return !defined('CURLOPT_QUICK_EXIT') || curl_version()['version_number'] < 0x075700;
    }

    /**
     * For CURLOPT_RESOLVE; nothing when curl is to do it alone: there is no name, or getent cannot say.
     *
     * @return list<string>
     *
     * @throws TransportFailure when no answer came within $limit seconds
     */
    public function forCurl(#[\SensitiveParameter] string $url, float $limit): array
    {
        $host = strtolower((string) parse_url($url, PHP_URL_HOST));
        $isName = preg_match('/^(?=.*[a-z])[a-z0-9_.-]+$/D', $host) === 1 && $host[0] !== '-';
        if (!$isName || self::goesByProxy() || !function_exists('proc_open')) {
            return [];
        }
        $addresses = $this->addressesOf($host, $limit);
        $secure = strtolower((string) parse_url($url, PHP_URL_SCHEME)) === 'https';
        $port = parse_url($url, PHP_URL_PORT) ?? ($secure ? 443 : 80);
        return $addresses === [] ? [] : ["$host:$port:" . implode(',', $addresses)];
    }

    /** @return list<string> */
    private function addressesOf(string $host, float $limit): array
    {
        [$addresses, $until] = $this->known[$host] ?? self::shared($host) ?? [[], 0.0];
        if ($until < microtime(true)) {
            $addresses = self::parse($this->ask($host, $limit));
            if ($addresses !== []) {
                $this->known[$host] = [$addresses, microtime(true) + self::REMEMBERED];
                self::share($host, $this->known[$host]);
            }
        }
        return $addresses;
    }

    private function ask(string $host, float $limit): string
    {
        $end = microtime(true) + $limit;
        $pipes = [];
        $process = @proc_open([...$this->command, $host], [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        if ($process === false) {
            return '';
        }
        $text = '';
        try {
            while (!feof($pipes[1])) {
                $left = max(0.0, $end - microtime(true));
                $ready = [$pipes[1]];
                $none = null;
                if (@stream_select($ready, $none, $none, (int) $left, (int) (fmod($left, 1.0) * 1e6)) === 0 && $left <= 0.0) {
                    proc_terminate($process, 9);
                    throw new TransportFailure("the name $host was not found in time", false);
                }
                $text .= $ready === [] ? '' : (string) fread($pipes[1], 8192);
            }
        } finally {
            fclose($pipes[1]);
            proc_close($process);
        }
        return $text;
    }

    /** @return list<string> */
    private static function parse(string $text): array
    {
        preg_match_all('/^([0-9a-f.:]+)\s/mi', $text, $found);
        $valid = array_filter($found[1], static fn (string $address) => filter_var($address, FILTER_VALIDATE_IP) !== false);
        return array_values(array_unique($valid));
    }

    private static function goesByProxy(): bool
    {
        $names = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
        return array_filter($names, static fn (string $name): bool => (string) getenv($name) !== '') !== [];
    }

    /** @return array{list<string>, float}|null from other requests, where APCu keeps something for all of them */
    private static function shared(string $host): ?array
    {
        $known = function_exists('apcu_enabled') && apcu_enabled() ? apcu_fetch("esn-address-$host") : false;
        return is_array($known) ? $known : null;
    }

    /** @param array{list<string>, float} $known */
    private static function share(string $host, array $known): void
    {
        if (function_exists('apcu_enabled') && apcu_enabled()) {
            apcu_store("esn-address-$host", $known, self::REMEMBERED);
        }
    }
}
