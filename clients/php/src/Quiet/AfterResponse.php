<?php

declare(strict_types=1);

namespace EsWebNotify\Quiet;

use EsWebNotify\Batch;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;

/**
 * Gathers events and sends them as one batch when the page has been answered, so that it takes the page no time, whatever became of the
 * broker. Quiet: what cannot be sent is reported and gone. Made by EventEmitter::afterResponse(), one for each request.
 */
final class AfterResponse
{
    /**
     * @internal
     *
     * @param \Closure(NotifyException): void $report of an event that cannot be one; of all else the batch does
     * @param int                             $limit  so many are sent without waiting for the end, so that a process that has none
     *                                                does not gather for ever
     */
    public function __construct(
        private Batch $batch,
        private readonly \Closure $report,
        private readonly ResponseEnd $end = new ResponseEnd(),
        private readonly int $limit = 1000,
    ) {
    }

    /** One that says bound events on this user's behalf; what it gathers is sent with the rest. */
    public function onBehalfOf(string|int|null $user): self
    {
        $copy = clone $this;
        $copy->batch = $this->batch->onBehalfOf($user);
        return $copy;
    }

    public function emit(Event $event, EventPoint ...$points): void
    {
        $this->add(static fn (Batch $batch): Batch => $batch->add($event, ...$points));
    }

    /** With an id of your own: see EventEmitter::emitOnce(). */
    public function emitOnce(string $id, Event $event, EventPoint ...$points): void
    {
        $this->add(static fn (Batch $batch): Batch => $batch->addOnce($id, $event, ...$points));
    }

    /**
     * Sends what was gathered, now. For processes that serve one request, or do one job, after the other: their end is not that of a
     * page. False: not all was sent.
     */
    public function send(): bool
    {
        try {
            return $this->batch->send() !== false;
        } catch (NotifyException) {
            return false; // a RecordingEmitter that was told to
        } finally {
            $this->batch->clear();
        }
    }

    /** @param \Closure(Batch): Batch $add */
    private function add(\Closure $add): void
    {
        if (!$this->end->isAwaited()) {
            // What a process had gathered that was forked into this one, it sends itself.
            $this->batch->clear();
            $this->end->await($this->send(...));
        }
        try {
            $add($this->batch);
        } catch (InvalidEvent $failure) {
            ($this->report)($failure);
        }
        if (count($this->batch) >= $this->limit) {
            $this->send();
        }
    }
}
