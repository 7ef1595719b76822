<?php

declare(strict_types=1);

/**
 * What the daemon says of itself, asked with the admin token, which no browser sees.
 * An empty array when it does not answer.
 */
function ask_daemon(string $route): array
{
    $curl = curl_init(getenv('ESN_FANOUT_URL') . $route);
    curl_setopt_array($curl, [
        CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . getenv('ESN_ADMIN_TOKEN')],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 2,
    ]);
    $answer = curl_exec($curl);
    return curl_getinfo($curl, CURLINFO_RESPONSE_CODE) === 200 ? (array) json_decode($answer, true) : [];
}

/** Client id => number of its connections. */
function who_is_present(): array
{
    return array_diff_key(ask_daemon('connections'), ['@TOTAL@' => 0]);
}

/** The connection ids of one client id, newest last. */
function connections_of(string $clid): array
{
    $ids = array_keys(ask_daemon('connections?details=true&clid=' . rawurlencode($clid)));
    sort($ids);
    return $ids;
}
