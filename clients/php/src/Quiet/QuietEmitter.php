<?php

declare(strict_types=1);

namespace EsWebNotify\Quiet;

use EsWebNotify\Batch;
use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventEmitter;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\TooManyEvents;
use EsWebNotify\Receipt;

/** Emits where the page matters more than the event: false instead of an exception. Made by Emitter::quiet(). */
final class QuietEmitter implements EventEmitter
{
    private readonly \Closure $report;
    private ?NotifyException $failure = null;

    /** @param (\Closure(NotifyException): void)|null $report */
    public function __construct(
        private Emitter $emitter,
        private readonly DownMemory $memory,
        ?\Closure $report = null,
    ) {
        $this->report = $report ?? static function (NotifyException $failure): void {
            error_log('es-web-notify: ' . $failure->getMessage());
        };
    }

    public function emit(Event $event, EventPoint ...$points): Receipt|false
    {
        return $this->tryTo(static fn (Emitter $emitter): Receipt => $emitter->emit($event, ...$points));
    }

    public function emitOnce(string $id, Event $event, EventPoint ...$points): Receipt|false
    {
        return $this->tryTo(static fn (Emitter $emitter): Receipt => $emitter->emitOnce($id, $event, ...$points));
    }

    /** What cannot be an event throws in its add() here too: it is known before anything is sent. */
    public function batch(): Batch
    {
        // Of one that throws: its events, and what becomes of them there.
        return $this->emitter->batch()->deliveredBy(
            fn (\Closure $deliver): array|false => $this->tryTo(static fn (): array => $deliver()),
        );
    }

    public function afterResponse(): AfterResponse
    {
        return new AfterResponse($this->batch(), $this->report);
    }

    public function drop(
        string|int|null $user = null,
        #[\SensitiveParameter] ?string $session = null,
        ?int $connection = null,
        ?string $client = null,
        ?int $for = null,
    ): int|false {
        return $this->tryTo(static fn (Emitter $emitter): int => $emitter->drop($user, $session, $connection, $client, $for));
    }

    public function logout(#[\SensitiveParameter] string $session, int $for = self::LOGOUT_FOR): int|false
    {
        return $this->tryTo(static fn (Emitter $emitter): int => $emitter->logout($session, $for));
    }

    public function position(): string|false
    {
        return $this->tryTo(static fn (Emitter $emitter): string => $emitter->position());
    }

    /** A user id that cannot be one throws here too: it is known before the page is made. */
    public function onBehalfOf(string|int|null $user): self
    {
        $copy = clone $this;
        $copy->emitter = $this->emitter->onBehalfOf($user);
        return $copy;
    }

    /** Why the last emit() returned false; null when it did not. */
    public function lastFailure(): ?NotifyException
    {
        return $this->failure;
    }

    /** @param \Closure(Emitter): (Receipt|list<Receipt>|int|string) $send */
    private function tryTo(\Closure $send): Receipt|array|int|string|false
    {
        if (!$this->memory->mayTry()) {
            // Not reported: whoever found it down has done so.
            $this->failure = new BrokerUnreachable('The broker was found to be down a moment ago.');
            return false;
        }
        try {
            $outcome = $send($this->emitter);
            $this->memory->up();
            $this->failure = null;
            return $outcome;
        } catch (NotifyException $failure) {
            $this->remember($failure);
            ($this->report)($failure);
            return false;
        }
    }

    private function remember(NotifyException $failure): void
    {
        $this->failure = $failure;
        // Who has published too much is not to be silent any longer than the broker wants it.
        if ($failure instanceof BrokerUnreachable && !$failure instanceof TooManyEvents) {
            $this->memory->down($failure->retryAfter);
        } elseif ($failure->status !== 0) {
            $this->memory->up();
        }
    }
}
