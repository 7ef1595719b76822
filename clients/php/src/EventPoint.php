<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\InvalidUser;

/** Where an event goes: a topic and who of its subscribers may hear it. */
final class EventPoint implements \JsonSerializable
{
    /** Connection ids are integers that JavaScript can hold. */
    private const MAX_CONNECTION_ID = 2 ** 53 - 1;

    /** @param array<string, bool|int|string|list<string|int>> $options */
    private function __construct(public readonly string $topic, private readonly array $options = [])
    {
        if ($topic === '') {
            throw new InvalidEvent('A topic is empty.');
        }
        if (str_contains($topic, "\0") || preg_match('//u', $topic) !== 1) {
            throw new InvalidEvent('A topic has to be UTF-8 text without NUL.');
        }
    }

    /** To every subscriber of the topic. */
    public static function shout(string $topic): self
    {
        return new self($topic);
    }

    /** To the one connection that the subscriber was told its id of. */
    public static function whisper(string $topic, int $connectionId): self
    {
        return self::shout($topic)->onlyTo($connectionId);
    }

    /** To those bound users who may hear the registered topic; the publisher needs the right to say it. */
    public static function bound(string $topic, #[\SensitiveParameter] ?string $password = null): self
    {
        $options = ['binded' => true];
        if ($password !== null) {
            $options['password'] = $password;
        }
        return new self($topic, $options);
    }

    /** As bound(), to the inbox of every user who follows the registered topic, whatever page the user is on. */
    public static function targeted(string $topic, #[\SensitiveParameter] ?string $password = null): self
    {
        $point = self::bound($topic, $password);
        return new self($topic, $point->options + ['targeted' => true]);
    }

    /**
     * To the inboxes (@USER@) of these users, on whatever page they are. It takes no row in a table, and no follower.
     *
     * @param string|int|non-empty-list<string|int> $users
     */
    public static function user(string|int|array $users, string $topic): self
    {
        $list = array_map(static function (mixed $user): string|int {
            if (!is_string($user) && !is_int($user)) {
                throw new InvalidUser('A user id is a string or an integer, not ' . get_debug_type($user) . '.');
            }
            UserId::onTheWire($user);
            return $user;
        }, is_array($users) ? array_values($users) : [$users]);
        if ($list === []) {
            throw new InvalidUser('The event is for no user.');
        }
        return new self($topic, ['to' => $list]);
    }

    /** To those who have subscribed to the topic as a private one: whose access token grants it (TokenMaker's `hear`). */
    public static function private(string $topic): self
    {
        return new self($topic, ['private' => true]);
    }

    /** The same event point for one connection alone. */
    public function onlyTo(int $connectionId): self
    {
        self::checkConnection($connectionId);
        if (isset($this->options['except'])) {
            throw new InvalidEvent('An event for one connection alone leaves nobody out.');
        }
        if (isset($this->options['keep'])) {
            throw new InvalidEvent('What is for one connection alone is no last value of a topic.');
        }
        return new self($this->topic, ['whisper' => $connectionId] + $this->options);
    }

    /** The same event point for all but one connection: not for the page that has caused the event, and has sent its `connid` along. */
    public function except(int $connectionId): self
    {
        self::checkConnection($connectionId);
        if (isset($this->options['whisper'])) {
            throw new InvalidEvent('An event for one connection alone leaves nobody out.');
        }
        return new self($this->topic, ['except' => $connectionId] + $this->options);
    }

    /**
     * The same event point, whose event is kept as the topic's last value: whoever subscribes later gets it. An event with the detail null
     * leaves the topic without one.
     */
    public function keep(): self
    {
        foreach (['whisper', 'targeted', 'to'] as $option) {
            if (isset($this->options[$option])) {
                throw new InvalidEvent('What is for a connection or for users alone is no last value of a topic.');
            }
        }
        return new self($this->topic, ['keep' => true] + $this->options);
    }

    private static function checkConnection(int $connectionId): void
    {
        if ($connectionId < 0 || $connectionId > self::MAX_CONNECTION_ID) {
            throw new InvalidEvent('A connection id is an integer from 0 to 2^53 - 1.');
        }
    }

    public function isBound(): bool
    {
        return isset($this->options['binded']);
    }

    /** @return string|array<string, bool|int|string|list<string|int>> */
    public function jsonSerialize(): string|array
    {
        return $this->options === [] ? $this->topic : ['topic' => $this->topic] + $this->options;
    }

    /** A dump of an event point shows no password. */
    public function __debugInfo(): array
    {
        $shown = ['topic' => $this->topic] + $this->options;
        if (isset($shown['password'])) {
            $shown['password'] = '(hidden)';
        }
        return $shown;
    }
}
