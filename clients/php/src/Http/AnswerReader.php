<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\BindKeyRefused;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Exception\TooManyEvents;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Receipt;
use EsWebNotify\TopicResult;

/** What the broker's answer to a post means. */
final class AnswerReader
{
    private const INVALID_BIND_KEY = 'Invalid Bind Key';

    /** @throws NotifyException for every answer but a whole 200 */
    public function read(HttpAnswer $answer): Receipt
    {
        return $answer->status === 200 ? $this->receipt($answer) : $this->fail($answer);
    }

    /**
     * How many streams were ended.
     *
     * @throws NotifyException for every answer but a whole 200
     */
    public function readDropped(HttpAnswer $answer): int
    {
        if ($answer->status !== 200) {
            $this->fail($answer);
        }
        $dropped = $answer->jsonObject()['dropped'] ?? null;
        return is_int($dropped) ? $dropped : throw self::notTheBrokers();
    }

    /**
     * The id of the newest event.
     *
     * @throws NotifyException for every answer but a whole 200
     */
    public function readPosition(HttpAnswer $answer): string
    {
        if ($answer->status !== 200) {
            $this->fail($answer);
        }
        $id = $answer->jsonObject()['id'] ?? null;
        return is_string($id) && $id !== '' ? $id : throw self::notTheBrokers();
    }

    /**
     * Of one that is not 200.
     *
     * @throws NotifyException
     */
    public function fail(HttpAnswer $answer): never
    {
        match ($answer->status) {
            400, 413, 422 => throw $this->invalid($answer),
            401, 404 => throw new Unauthorised(
                "The broker answered {$answer->status}: the entry token or the address is wrong.",
                $answer->status,
            ),
            403 => throw new Refused($this->reason($answer), $this->results($answer), 403),
            409 => throw new InvalidEvent('The broker had another event with this id a moment ago.', 409),
            429 => throw new TooManyEvents($this->results($answer), $answer->retryAfter()),
            default => throw new UnexpectedAnswer(
                "The answer {$answer->status} is none of the broker's.",
                $answer->status,
            ),
        };
    }

    private function receipt(HttpAnswer $answer): Receipt
    {
        $fields = $answer->jsonObject();
        if ($fields === null || !is_int($fields['receivers'] ?? null) || !is_array($fields['ep'] ?? null)) {
            throw self::notTheBrokers();
        }
        $id = $fields['id'] ?? '';
        return new Receipt(is_string($id) ? $id : '', $fields['receivers'], $this->results($answer));
    }

    public static function notTheBrokers(): UnexpectedAnswer
    {
        return new UnexpectedAnswer('The answer 200 is not the broker\'s: is the address right?', 200);
    }

    private function invalid(HttpAnswer $answer): BindKeyRefused|InvalidEvent
    {
        $reason = $this->reason($answer);
        if ($reason === self::INVALID_BIND_KEY) {
            $usual = 'other keys or padding than its own, or clocks that differ';
            return new BindKeyRefused("The broker refused the bind key: $usual.", $answer->status);
        }
        $detail = $answer->jsonObject()['detail'] ?? null;
        $more = is_string($detail) ? " ($detail)" : '';
        return new InvalidEvent("The broker says the event is not valid: $reason$more.", $answer->status);
    }

    private function reason(HttpAnswer $answer): string
    {
        $error = $answer->jsonObject()['error'] ?? null;
        return is_string($error) && $error !== '' ? $error : 'HTTP ' . $answer->status;
    }

    /** @return list<TopicResult> */
    private function results(HttpAnswer $answer): array
    {
        $results = [];
        $points = $answer->jsonObject()['ep'] ?? [];
        foreach (is_array($points) ? $points : [] as $point) {
            if (is_array($point) && is_string($point['topic'] ?? null) && is_string($point['result'] ?? null)) {
                $receivers = $point['receivers'] ?? 0;
                $results[] = new TopicResult($point['topic'], $point['result'], is_int($receivers) ? $receivers : 0);
            }
        }
        return $results;
    }
}
