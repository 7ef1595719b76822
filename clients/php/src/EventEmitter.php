<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Quiet\AfterResponse;

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

    /** An empty batch, whose send() posts what was added to it together. */
    public function batch(): Batch;

    /** One that gathers events and sends them when the page has been answered; quiet, and one for each request. */
    public function afterResponse(): AfterResponse;

    /**
     * Ends the streams of one user, session, connection or client id: their pages hear no more, and do not come back by themselves.
     *
     * @param string|null $session session_id()
     * @param int|null    $for     seconds in which what was signed for the user or session before is refused; null: as long as a
     *                             ticket can be used
     *
     * @return int|false how many streams; false: the broker was not reached, in quiet mode
     *
     * @throws NotifyException
     */
    public function drop(
        string|int|null $user = null,
        #[\SensitiveParameter] ?string $session = null,
        ?int $connection = null,
        ?string $client = null,
        ?int $for = null,
    ): int|false;

    /**
     * The id of the newest event, for the page that is being made: its client goes on from there (`lastId` of connect()). Ask before you
     * read what the page shows: then nothing falls between the two.
     *
     * @return string|false false: the broker was not reached, in quiet mode; the page then does without
     *
     * @throws NotifyException
     */
    public function position(): string|false;

    /** Seconds for which a session that was logged out cannot come back: as long as TokenMaker's tokens live. */
    public const LOGOUT_FOR = 300;

    /**
     * drop() of a session that is logged out. Call it before session_destroy() or session_regenerate_id(), which change the id.
     *
     * @param string $session session_id()
     *
     * @throws NotifyException
     */
    public function logout(#[\SensitiveParameter] string $session, int $for = self::LOGOUT_FOR): int|false;
}
