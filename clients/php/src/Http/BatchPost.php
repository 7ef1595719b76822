<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\OutgoingEvent;
use EsWebNotify\Receipt;
use EsWebNotify\Time\Backoff;
use EsWebNotify\Time\Clock;
use EsWebNotify\TimeLimits;

/**
 * Posts a batch in as few requests as it needs, and those of its events again that the broker could not take at that moment, within
 * one time limit for all.
 */
final class BatchPost
{
    /** What a request holds: as many events as a broker takes unless told otherwise, and bytes that any web server lets pass. */
    private const MAX_EVENTS = 1000;
    private const MAX_BYTES = 1_000_000;
    private const MAX_POINTS = 10_000;

    /** @var array<int, Receipt|NotifyException> by the event's place */
    private array $outcomes = [];
    /** @var list<int> places of those that are to be sent */
    private array $waiting = [];

    /**
     * @param list<OutgoingEvent>                                  $events
     * @param \Closure(\Closure(): string, TimeLimits): HttpAnswer $post   posts what the first gives for each attempt
     * @param \Closure(OutgoingEvent): string                      $text
     */
    public function __construct(
        private readonly array $events,
        private readonly \Closure $post,
        private readonly \Closure $text,
        private readonly Clock $clock,
        private readonly Backoff $backoff,
    ) {
    }

    /** @return list<Receipt|NotifyException> in the order of the events */
    public function send(TimeLimits $limits): array
    {
        $deadline = $this->clock->monotonic() + $limits->total;
        $later = array_keys($this->events);
        for ($attempt = 1; $later !== []; $attempt++) {
            $this->waiting = $later;
            $later = $this->sendWaiting($deadline, $limits->connect);
            $pause = $this->backoff->pauseAfter($attempt);
            if ($later === [] || $this->clock->monotonic() + $pause >= $deadline) {
                break;
            }
            $this->clock->sleep($pause);
        }
        ksort($this->outcomes);
        return array_values($this->outcomes);
    }

    /** @return list<int> places of those that the broker could not take now */
    private function sendWaiting(float $deadline, float $connect): array
    {
        $later = [];
        while ($this->waiting !== []) {
            $places = $this->nextPlaces();
            try {
                $left = new TimeLimits(max(0.001, $deadline - $this->clock->monotonic()), $connect);
                $outcomes = BatchAnswer::outcomes($this->request($places, $left), $places);
            } catch (InvalidEvent $failure) {
                $outcomes = array_fill_keys($places, $failure);
            } catch (NotifyException $failure) {
                // It was tried for as long as there is time, or will not be answered in another way.
                $this->outcomes = array_fill_keys($this->waiting, $failure) + $this->outcomes;
                return [];
            }
            $this->outcomes = $outcomes + $this->outcomes;
            $this->waiting = array_values(array_diff($this->waiting, array_keys($outcomes)));
            $isForLater = static fn (Receipt|NotifyException $outcome): bool => $outcome instanceof BrokerUnreachable;
            array_push($later, ...array_keys(array_filter($outcomes, $isForLater)));
        }
        return $later;
    }

    /** @param list<int> $places */
    private function request(array $places, TimeLimits $limits): HttpAnswer
    {
        $body = function () use ($places): string {
            $texts = array_map(fn (int $place): string => ($this->text)($this->events[$place]), $places);
            return '{"events":[' . implode(',', $texts) . ']}';
        };
        return ($this->post)($body, $limits);
    }

    /** @return non-empty-list<int> places of what goes into the next request */
    private function nextPlaces(): array
    {
        $bytes = $points = 0;
        $places = [];
        foreach ($this->waiting as $place) {
            $bytes += $this->events[$place]->bytes() + 1;
            $points += count($this->events[$place]->points);
            $isOver = count($places) === self::MAX_EVENTS || $bytes > self::MAX_BYTES || $points > self::MAX_POINTS;
            if ($places !== [] && $isOver) {
                break;
            }
            $places[] = $place;
        }
        return $places;
    }
}
