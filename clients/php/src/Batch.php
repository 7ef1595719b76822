<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\BatchIncomplete;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;

/**
 * Events that are posted together, in the order in which they were added: many for the price of one request. Made by
 * EventEmitter::batch().
 *
 *     $batch = $broker->batch();
 *     foreach ($orders as $order) {
 *         $batch->add(new Event('shipped', ['order' => $order->id]), EventPoint::user($order->user, 'orders'));
 *     }
 *     $batch->send();
 */
final class Batch implements \Countable
{
    /** @var \ArrayObject<int, OutgoingEvent> shared by all that onBehalfOf() makes */
    private readonly \ArrayObject $events;
    /** @var list<string|int|null> */
    private array $onBehalf = [];

    /**
     * @internal
     *
     * @param \Closure(?string, Event, list<EventPoint>, list<string|int|null>): OutgoingEvent $prepare
     * @param \Closure(list<OutgoingEvent>): (list<Receipt>|false)                             $deliver
     */
    public function __construct(private readonly \Closure $prepare, private readonly \Closure $deliver)
    {
        $this->events = new \ArrayObject();
    }

    /**
     * @internal
     *
     * @param \Closure(\Closure(): list<Receipt>): (list<Receipt>|false) $call calls what it is given, which delivers
     */
    public function deliveredBy(\Closure $call): self
    {
        $deliver = $this->deliver;
        return new self($this->prepare, static fn (array $events): array|false => $call(static fn (): array => $deliver($events)));
    }

    /** The same batch; what is added by way of what this returns is said on this user's behalf. */
    public function onBehalfOf(string|int|null $user): self
    {
        UserId::onTheWire($user);
        $copy = clone $this;
        $copy->onBehalf = [$user];
        return $copy;
    }

    /** @throws InvalidEvent for what the broker would refuse, as far as that is known here; nothing is added then */
    public function add(Event $event, EventPoint ...$points): self
    {
        $this->events[] = ($this->prepare)(null, $event, array_values($points), $this->onBehalf);
        return $this;
    }

    /**
     * With an id of your own, as emitOnce().
     *
     * @throws InvalidEvent
     */
    public function addOnce(string $id, Event $event, EventPoint ...$points): self
    {
        $this->events[] = ($this->prepare)($id, $event, array_values($points), $this->onBehalf);
        return $this;
    }

    /** How many were added since it was sent. */
    public function count(): int
    {
        return $this->events->count();
    }

    /**
     * Returns when the broker has all of them, and the batch is empty then. When it throws, or returns false, it has what it had: sent
     * again, within the minutes for which the broker remembers ids, what was delivered already is not delivered twice.
     *
     * @return list<Receipt>|false in the order of the events; false: some were not sent, in quiet mode
     *
     * @throws BatchIncomplete when some of them were not sent; it has what became of each
     * @throws NotifyException when none was, for one reason
     */
    public function send(): array|false
    {
        $receipts = $this->count() === 0 ? [] : ($this->deliver)($this->events->getArrayCopy());
        if ($receipts !== false) {
            $this->clear();
        }
        return $receipts;
    }

    /** Forgets what was added. */
    public function clear(): void
    {
        $this->events->exchangeArray([]);
    }
}
