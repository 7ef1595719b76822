<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Support;

/** A held stream, as a browser holds one. */
final class Subscriber
{
    private const REDIRECTS = 5;

    /** @var list<array<string, mixed>> */
    private array $frames = [];
    private string $text = '';
    private readonly \CurlMultiHandle $multi;
    private readonly \CurlHandle $request;
    private readonly int $connectionId;

    /**
     * @param list<string|array<string, mixed>> $topics empty: what a ticket in the URL says
     * @param string|null                       $token  an access token
     */
    public function __construct(string $url, array $topics, ?string $bindKey = null, ?string $token = null)
    {
        $body = array_filter(['ep' => $topics, 'bind_key' => $bindKey, 'token' => $token]);
        $reader = new FrameReader();
        $this->multi = curl_multi_init();
        $this->request = curl_init($url);
        curl_setopt_array($this->request, [
            CURLOPT_HTTPHEADER => ['Content-Type: text/plain', 'Expect:'],
            CURLOPT_FOLLOWLOCATION => true,
            CURLOPT_MAXREDIRS => self::REDIRECTS,
            CURLOPT_WRITEFUNCTION => function ($request, string $piece) use ($reader): int {
                $this->text = substr($this->text . $piece, 0, 1000);
                array_push($this->frames, ...$reader->read($piece));
                return strlen($piece);
            },
        ]);
        if ($body !== []) {
            curl_setopt_array($this->request, [CURLOPT_POST => true, CURLOPT_POSTFIELDS => json_encode($body)]);
        }
        curl_multi_add_handle($this->multi, $this->request);
        $connected = $this->next();
        if ($connected['ep']['emitted'] !== '@SERVER@') {
            throw new \RuntimeException('The first frame is not "connected"');
        }
        $this->connectionId = $connected['e']['detail']['connid'];
    }

    public function connectionId(): int
    {
        return $this->connectionId;
    }

    /** @return array<string, mixed> the next frame */
    public function next(): array
    {
        Wait::until(function (): bool {
            curl_multi_exec($this->multi, $running);
            if ($this->frames === [] && $running === 0) {
                $status = curl_getinfo($this->request, CURLINFO_RESPONSE_CODE);
                throw new \RuntimeException("The stream ended with $status: {$this->text}");
            }
            return $this->frames !== [];
        }, 'the next frame');
        return array_shift($this->frames);
    }

    public function __destruct()
    {
        curl_multi_remove_handle($this->multi, $this->request);
    }
}
