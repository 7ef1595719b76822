<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\NotifyException;

/**
 * What Emitter, its quiet() and, in tests, Testing\RecordingEmitter have in common: the type that an application asks for where it
 * emits.
 */
interface EventEmitter
{
    /** One that says bound events on this user's behalf; null for a visitor whom nobody knows. */
    public function onBehalfOf(string|int|null $user): self;

    /**
     * Returns when the broker has the event, which it then delivers once. False: it has not, in quiet mode.
     *
     * @throws NotifyException
     */
    public function emit(Event $event, EventPoint ...$points): Receipt|false;

    /**
     * As emit(), with an id of your own: an event emitted again with the same id is not delivered twice.
     *
     * @param string $id UTF-8 text of 1 to 200 bytes
     *
     * @throws NotifyException
     */
    public function emitOnce(string $id, Event $event, EventPoint ...$points): Receipt|false;
}
