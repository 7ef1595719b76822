<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotStored;

/**
 * Events that are published when a transaction is committed, and never when it is rolled back (docs/outbox.md). The
 * broker need not be there: an event is a row in the application's own database, which esn-outbox publishes.
 *
 *     $database->beginTransaction();
 *     ...
 *     $outbox->add($database, new Event('paid', ['order' => 7]), EventPoint::shout('orders/7'), queue: 'orders/7');
 *     $database->commit();
 *     $outbox->ring();
 */
final class Outbox
{
    /** Where the Debian package has the doorbell. */
    public const DOORBELL = 'unix:/run/es-web-notify/outbox.sock';

    /** ASCII alone, so that the character set of the connection does not matter. */
    private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;

    private const MAX_QUEUE_BYTES = 255;

    private bool $hasPublisher = false;
    private string|int|null $user = null;

    /**
     * @param BindKeyMaker|null $bindKeys  with the broker's public key; needed for bound events alone
     * @param string            $publisher a name of [outbox] publishers; '' is the first of them
     * @param string|null       $doorbell  unix:/path or host:port (an address, so that no name server is asked);
     *                                     null: there is none
     */
    public function __construct(
        private readonly ?BindKeyMaker $bindKeys = null,
        private readonly string $publisher = '',
        private readonly ?string $doorbell = self::DOORBELL,
    ) {
    }

    /** An outbox that says bound events on this user's behalf; null for a visitor whom nobody knows. */
    public function onBehalfOf(string|int|null $user): self
    {
        UserId::onTheWire($user);
        $copy = clone $this;
        $copy->hasPublisher = true;
        $copy->user = $user;
        return $copy;
    }

    /**
     * Leaves the event in the transaction that is open. Events of one queue are published in the order in which they
     * were added; name one for what has to stay in order, such as an order's number: `queue: 'orders/7'`. What is
     * wrong here, or cannot be stored, throws, so that the transaction is not committed without its event.
     *
     * @param EventPoint|string ...$points where it goes, and `queue:`
     *
     * @throws InvalidEvent
     * @throws NotStored
     */
    public function add(\PDO $database, Event $event, EventPoint|string ...$points): void
    {
        $queue = $points['queue'] ?? '';
        unset($points['queue']);
        $this->check($queue, $points);
        if (!$database->inTransaction()) {
            throw new NotStored('No transaction is open: call beginTransaction() first.');
        }
        $this->insert($database, [$queue, $this->publisher, $this->body($event, $points)]);
    }

    /**
     * Tells esn-outbox that there is something new; after COMMIT. It takes no time, whatever is away: the event is
     * found without it too, a moment later. False when nobody can have heard it.
     */
    public function ring(): bool
    {
        if ($this->doorbell === null) {
            return false;
        }
        $address = str_starts_with($this->doorbell, 'unix:') ? 'udg://' . substr($this->doorbell, 5) : 'udp://' . $this->doorbell;
        set_error_handler(static fn (): bool => true);
        try {
            $socket = stream_socket_client($address, $code, $reason, 0.1);
            if ($socket === false) {
                return false;
            }
            stream_set_blocking($socket, false);
            return fwrite($socket, "\n") === 1;
        } finally {
            restore_error_handler();
        }
    }

    /** @param array<int|string, EventPoint|string> $points */
    private function check(EventPoint|string $queue, array $points): void
    {
        if (!is_string($queue) || strlen($queue) > self::MAX_QUEUE_BYTES || preg_match('//u', $queue) !== 1) {
            throw new InvalidEvent('A queue is UTF-8 text of at most ' . self::MAX_QUEUE_BYTES . ' bytes.');
        }
        if ($points === []) {
            throw new InvalidEvent('An event needs at least one event point.');
        }
        foreach ($points as $point) {
            if (!$point instanceof EventPoint) {
                throw new InvalidEvent('Beside event points there is `queue:` alone.');
            }
            $this->checkBound($point);
        }
    }

    private function checkBound(EventPoint $point): void
    {
        if ($point->isBound() && $this->bindKeys === null) {
            throw new InvalidEvent('A bound event needs a BindKeyMaker in the outbox.');
        }
        if ($point->isBound() && !$this->hasPublisher) {
            throw new InvalidEvent('A bound event needs a publisher: call onBehalfOf() first.');
        }
    }

    /** @param array<int|string, EventPoint|string> $points */
    private function body(Event $event, array $points): string
    {
        $isBound = static fn (EventPoint|string $point): bool => $point instanceof EventPoint && $point->isBound();
        $key = array_filter($points, $isBound) !== [] ? ['bind_key' => $this->bindKeys?->forPublishing($this->user)] : [];
        try {
            return json_encode($key + ['ep' => array_values($points), 'e' => $event], self::JSON);
        } catch (\JsonException $error) {
            throw new InvalidEvent("The event cannot be written as JSON: {$error->getMessage()}.", 0, $error);
        }
    }

    /** @param list<string> $values */
    private function insert(\PDO $database, array $values): void
    {
        try {
            $statement = $database->prepare('INSERT INTO outgoing_events (queue, publisher, body) VALUES (?, ?, ?)');
            if ($statement !== false && $statement->execute($values)) {
                return;
            }
            $reason = ($statement !== false ? $statement : $database)->errorInfo()[2] ?? 'the database refused it';
        } catch (\PDOException $error) {
            throw new NotStored("The event is not stored: {$error->getMessage()}", 0, $error);
        }
        throw new NotStored("The event is not stored: $reason");
    }
}
