<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Receipt;

/** What the broker's answer to a batch means for each of its events. */
final class BatchAnswer
{
    private const TOO_MANY_EVENTS = 'Too many events in a batch';
    private const INVALID_BATCH = 'Invalid batch';

    /**
     * @param list<int> $places of the events that were posted, in their order
     *
     * @return non-empty-array<int, Receipt|NotifyException> by place; those that the broker did not look at are missing
     *
     * @throws NotifyException when it says nothing of single events
     */
    public static function outcomes(HttpAnswer $answer, array $places): array
    {
        $events = $answer->jsonObject()['events'] ?? null;
        if (!is_array($events) || !in_array($answer->status, [200, 400], true)) {
            $answer->status === 200 ? throw AnswerReader::notTheBrokers() : (new AnswerReader())->fail($answer);
        }
        $outcomes = [];
        foreach (array_slice(array_values($events), 0, count($places)) as $index => $event) {
            $outcomes[$places[$index]] = self::outcome($event);
        }
        if (count($outcomes) < count($places)) {
            $outcomes += self::end($answer, $places[count($outcomes)], $outcomes === []);
        }
        return $outcomes;
    }

    private static function outcome(mixed $event): Receipt|NotifyException
    {
        if (!is_array($event) || !is_int($event['status'] ?? null)) {
            return AnswerReader::notTheBrokers();
        }
        $after = $event['retry_after'] ?? null;
        $headers = is_int($after) ? ['retry-after' => (string) $after] : [];
        $answer = new HttpAnswer($event['status'], $headers, (string) json_encode($event, JSON_PARTIAL_OUTPUT_ON_ERROR));
        if ($answer->status === 503) {
            $error = is_string($event['error'] ?? null) ? $event['error'] : 'it answered 503';
            return new BrokerUnreachable("The broker could not take the event: $error.", 503, 1, $answer->retryAfter());
        }
        try {
            return (new AnswerReader())->read($answer);
        } catch (NotifyException $failure) {
            return $failure;
        }
    }

    /**
     * Where the broker took it for a batch no more: what that means for the event that it has not answered.
     *
     * @return array<int, NotifyException> none: that one may be sent again, with those behind it
     */
    private static function end(HttpAnswer $answer, int $place, bool $isFirst): array
    {
        $fields = $answer->jsonObject() ?? [];
        $error = is_string($fields['error'] ?? null) ? $fields['error'] : '';
        $detail = is_string($fields['detail'] ?? null) ? $fields['detail'] : $error;
        return match (true) {
            $error === self::TOO_MANY_EVENTS && !$isFirst => [],
            $error === self::INVALID_BATCH => [$place => new InvalidEvent("The broker says the event is not valid: $detail.", 400)],
            $error !== '' => [$place => new BrokerUnreachable("The broker could not take the event: $error.", 400, 1)],
            default => [$place => AnswerReader::notTheBrokers()],
        };
    }
}
