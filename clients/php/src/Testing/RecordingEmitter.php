<?php

declare(strict_types=1);

namespace EsWebNotify\Testing;

use EsWebNotify\Batch;
use EsWebNotify\Drop;
use EsWebNotify\Event;
use EsWebNotify\EventEmitter;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\OutgoingEvent;
use EsWebNotify\Quiet\AfterResponse;
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
    /** @var list<string|int|null> */
    private array $onBehalf = [];

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
        $copy->onBehalf = [$user];
        return $copy;
    }

    public function emit(Event $event, EventPoint ...$points): Receipt|false
    {
        return $this->record($this->prepare(null, $event, array_values($points), []));
    }

    public function emitOnce(string $id, Event $event, EventPoint ...$points): Receipt|false
    {
        return $this->record($this->prepare($id, $event, array_values($points), []));
    }

    /** What is sent with it is kept as if it had been emitted one by one. */
    public function batch(): Batch
    {
        return new Batch($this->prepare(...), function (array $events): array|false {
            $receipts = array_map($this->record(...), $events);
            return in_array(false, $receipts, true) ? false : $receipts;
        });
    }

    /** What is emitted is kept at once. */
    public function afterResponse(): AfterResponse
    {
        return new AfterResponse($this->batch(), static fn (NotifyException $failure): never => throw $failure, limit: 1);
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

    /**
     * @param list<EventPoint>      $points
     * @param list<string|int|null> $onBehalf of a batch; empty: as onBehalfOf() was told
     */
    private function prepare(?string $id, Event $event, array $points, array $onBehalf): OutgoingEvent
    {
        return new OutgoingEvent($id, $event, $points, $onBehalf === [] ? $this->onBehalf : $onBehalf);
    }

    private function record(OutgoingEvent $event): Receipt|false
    {
        $this->emitted[] = new EmittedEvent(
            $event->event,
            $event->points,
            $event->givenId,
            $event->onBehalf !== [],
            $event->onBehalf[0] ?? null,
        );
        $this->throwWhatWasGiven();
        return $this->outcome ?? self::sent(count($this->emitted), $event->points);
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
