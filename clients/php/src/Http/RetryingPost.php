<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Time\Backoff;
use EsWebNotify\Time\Clock;
use EsWebNotify\TimeLimits;

/** Posts until something answers that is not "not now", within one time limit for all attempts. */
final class RetryingPost
{
    private const TOO_MANY = 429;
    /** The broker, or the web server before it, cannot take the event now. */
    private const NOT_NOW = [self::TOO_MANY, 502, 503, 504];

    public function __construct(
        private readonly Transport $transport,
        private readonly Clock $clock,
        private readonly Backoff $backoff,
    ) {
    }

    /**
     * @param \Closure(): Post $post called before each attempt, since bind keys and signatures age
     *
     * @return HttpAnswer with 429 when the broker goes on saying "too many"
     *
     * @throws BrokerUnreachable
     */
    public function send(#[\SensitiveParameter] string $url, \Closure $post, TimeLimits $limits): HttpAnswer
    {
        $deadline = $this->clock->monotonic() + $limits->total;
        for ($attempt = 1;; $attempt++) {
            $outcome = $this->attempt($url, $post(), $limits->connect, $deadline);
            if ($outcome instanceof HttpAnswer && !in_array($outcome->status, self::NOT_NOW, true)) {
                return $outcome;
            }
            $pause = max(
                $this->backoff->pauseAfter($attempt),
                $outcome instanceof HttpAnswer ? (float) $outcome->retryAfter() : 0.0,
            );
            $permanent = $outcome instanceof TransportFailure && $outcome->permanent;
            if ($outcome instanceof HttpAnswer && $outcome->status === self::TOO_MANY
                && $this->clock->monotonic() + $pause >= $deadline) {
                return $outcome;
            }
            if ($permanent || $this->clock->monotonic() + $pause >= $deadline) {
                throw self::unreachable($url, $outcome, $attempt);
            }
            $this->clock->sleep($pause);
        }
    }

    private function attempt(string $url, Post $post, float $connect, float $deadline): HttpAnswer|TransportFailure
    {
        $left = max(0.001, $deadline - $this->clock->monotonic());
        try {
            return $this->transport->post($url, $post->headers, $post->body, min($connect, $left), $left);
        } catch (TransportFailure $failure) {
            return $failure;
        }
    }

    private static function unreachable(
        string $url,
        HttpAnswer|TransportFailure $outcome,
        int $attempts,
    ): BrokerUnreachable {
        $answered = $outcome instanceof HttpAnswer;
        $why = $answered ? 'it answered ' . $outcome->status : $outcome->getMessage();
        $tried = $attempts === 1 ? 'one attempt' : $attempts . ' attempts';
        return new BrokerUnreachable(
            sprintf('The broker at %s was not reached with %s: %s.', Address::forPeople($url), $tried, $why),
            $answered ? $outcome->status : 0,
            $attempts,
            $answered ? $outcome->retryAfter() : null,
            $answered ? null : $outcome,
        );
    }
}
