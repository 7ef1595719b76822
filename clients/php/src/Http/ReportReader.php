<?php

declare(strict_types=1);

namespace EsWebNotify\Http;

use EsWebNotify\Exception\NotifyException;
use EsWebNotify\MissingStream;
use EsWebNotify\Report;

/** What the broker answers to the question who had an event. */
final class ReportReader
{
    private const UNKNOWN = 'No report of this event';

    /**
     * Null: it knows of no such report.
     *
     * @throws NotifyException
     */
    public function read(HttpAnswer $answer): ?Report
    {
        $fields = $answer->jsonObject() ?? [];
        if ($answer->status === 404 && ($fields['error'] ?? null) === self::UNKNOWN) {
            return null;
        }
        if ($answer->status !== 200) {
            (new AnswerReader())->fail($answer);
        }
        ['id' => $id, 'sent' => $sent, 'had' => $had, 'missing' => $missing] = $fields + array_fill_keys(['id', 'sent', 'had', 'missing'], null);
        $more = $fields['more'] ?? 0;
        if (!is_string($id) || !is_int($sent) || !is_int($had) || !is_int($more) || !is_array($missing)) {
            throw AnswerReader::notTheBrokers();
        }
        return new Report($id, $sent, $had, array_map(self::stream(...), array_values($missing)), $more);
    }

    private static function stream(mixed $fields): MissingStream
    {
        $wanted = ['connid', 'uid', 'clid', 'state', 'ms'];
        $given = (is_array($fields) ? $fields : []) + array_fill_keys($wanted, null);
        ['connid' => $connection, 'uid' => $user, 'clid' => $client, 'state' => $state, 'ms' => $since] = $given;
        if (!is_int($connection) || !is_string($client) || !is_int($since) || !($user === null || is_string($user))) {
            throw AnswerReader::notTheBrokers();
        }
        return new MissingStream($connection, $user, $client, $state === 'open', $since);
    }
}
