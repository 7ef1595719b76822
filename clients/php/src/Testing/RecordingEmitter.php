<?php

declare(strict_types=1);

namespace EsWebNotify\Testing;

use EsWebNotify\Drop;
use EsWebNotify\Event;
use EsWebNotify\EventEmitter;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Receipt;
use EsWebNotify\TopicResult;
use EsWebNotify\UserId;

/**
 * For the tests of applications: takes the place of an Emitter, asks no broker, and keeps what it was given. It refuses what an
 * Emitter refuses by itself.
 */
final class RecordingEmitter implements EventEmitter
{
    /** @var \ArrayObject<int, EmittedEvent> shared by all that onBehalfOf() makes */
    private readonly \ArrayObject $emitted;
    /** @var \ArrayObject<int, Drop> likewise */
    private readonly \ArrayObject $dropped;
    private bool $onBehalf = false;
    private string|int|null $publisher = null;

    /**
     * @param Receipt|NotifyException|false|null $outcome what each emit() returns or throws; null: a receipt by which every event
     *                                                    point was sent to one receiver
     */
    public function __construct(private Receipt|NotifyException|false|null $outcome = null)
    {
        $this->emitted = new \ArrayObject();
        $this->dropped = new \ArrayObject();
    }

    public function onBehalfOf(string|int|null $user): self
    {
        UserId::onTheWire($user);
        $copy = clone $this;
        $copy->onBehalf = true;
        $copy->publisher = $user;
        return $copy;
    }

    public function emit(Event $event, EventPoint ...$points): Receipt|false
    {
        return $this->record(null, $event, array_values($points));
    }

    public function emitOnce(string $id, Event $event, EventPoint ...$points): Receipt|false
    {
        if ($id === '' || strlen($id) > 200) {
            throw new InvalidEvent('The id of an event has 1 to 200 bytes.');
        }
        return $this->record($id, $event, array_values($points));
    }

    public function drop(
        string|int|null $user = null,
        #[\SensitiveParameter] ?string $session = null,
        ?int $connection = null,
        ?string $client = null,
        ?int $for = null,
    ): int|false {
        $drop = new Drop($user, $session, $connection, $client, $for);
        $drop->jsonSerialize(); // refuses what cannot be a user
        $this->dropped[] = $drop;
        $this->throwWhatWasGiven();
        return $this->outcome === false ? false : 1;
    }

    public function logout(#[\SensitiveParameter] string $session, int $for = self::LOGOUT_FOR): int|false
    {
        return $this->drop(session: $session, for: $for);
    }

    public function position(): string|false
    {
        $this->throwWhatWasGiven();
        return $this->outcome === false ? false : '1-' . count($this->emitted);
    }

    /** @return list<Drop> what drop() and logout() were called with: `user`, `session`, `connection`, `client`, `for` */
    public function dropped(): array
    {
        return array_values($this->dropped->getArrayCopy());
    }

    /** @return list<EmittedEvent> in the order in which they were emitted */
    public function events(): array
    {
        return array_values($this->emitted->getArrayCopy());
    }

    /** @return list<EmittedEvent> */
    public function ofType(string $type): array
    {
        return $this->having(static fn (EmittedEvent $emitted): bool => $emitted->type() === $type);
    }

    /** @return list<EmittedEvent> those with this topic among their event points */
    public function on(string $topic): array
    {
        return $this->having(static fn (EmittedEvent $emitted): bool => in_array($topic, $emitted->topics(), true));
    }

    /** @return list<EmittedEvent> */
    private function having(\Closure $isWanted): array
    {
        return array_values(array_filter($this->events(), $isWanted));
    }

    /** @param list<EventPoint> $points */
    private function record(?string $id, Event $event, array $points): Receipt|false
    {
        if ($points === []) {
            throw new InvalidEvent('An event needs at least one event point.');
        }
        $bound = array_filter($points, static fn (EventPoint $point): bool => $point->isBound()) !== [];
        if ($bound && !$this->onBehalf) {
            throw new InvalidEvent('A bound event needs a publisher: call onBehalfOf() first.');
        }
        $this->emitted[] = new EmittedEvent($event, $points, $id, $this->onBehalf, $this->publisher);
        $this->throwWhatWasGiven();
        return $this->outcome ?? self::sent(count($this->emitted), $points);
    }

    private function throwWhatWasGiven(): void
    {
        if ($this->outcome instanceof NotifyException) {
            throw $this->outcome;
        }
    }

    /** @param list<EventPoint> $points */
    private static function sent(int $number, array $points): Receipt
    {
        $results = array_map(
            static fn (EventPoint $point): TopicResult => new TopicResult($point->topic, TopicResult::SENT, 1),
            $points,
        );
        return new Receipt("1-$number", count($results), $results);
    }
}
