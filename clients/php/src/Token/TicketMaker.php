<?php

declare(strict_types=1);

namespace EsWebNotify\Token;

use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Keys\KeyFile;
use EsWebNotify\SessionName;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;
use EsWebNotify\UserId;

/**
 * Signs tickets, which esn-fanout takes at once: each is good for one connection, and for seconds. For applications that decide
 * about each topic themselves, and for set-ups without esn-subscribe; access tokens (TokenMaker) are less work.
 */
final class TicketMaker
{
    private const MAX_BYTES = 7500;

    public function __construct(
        private readonly JwtSigner $signer,
        private readonly int $lifetime = 10,
        private readonly Clock $clock = new SystemClock(),
    ) {
        if ($lifetime < 1 || $lifetime > 60) {
            throw new InvalidToken('A ticket lives for 1 to 60 seconds.');
        }
    }

    /** @param string $path of a file with the first secret of the broker's [ticket] secret_file */
    public static function fromSecretFile(string $path, int $lifetime = 10): self
    {
        return new self(JwtSigner::fromSecret(KeyFile::first($path)), $lifetime);
    }

    /**
     * @param list<string|array{topic: string, binded?: bool, private?: bool}> $topics which the application has found right for
     *                                        this user; as the JavaScript client asks for them
     * @param string|int|null|false $user     whose they are heard as; null: a session without a user; false: nobody's
     * @param string|null           $lastId   of a client that comes back
     * @param int|float|null        $until    seconds since 1970 when the user's proof ends, and the stream with it
     * @param string|null           $session  session_id(): so that Emitter::logout() finds the stream
     * @param list<string>|null     $deaf     those of the bound topics that the user may not hear any more, for what was missed;
     *                                        null: not known, and nothing bound is sent again
     */
    public function make(
        array $topics,
        string|int|null|false $user = false,
        ?string $clientId = null,
        ?string $lastId = null,
        int|float|null $until = null,
        #[\SensitiveParameter] ?string $session = null,
        ?array $deaf = null,
    ): string {
        $now = round($this->clock->unixTime(), 3);
        $uid = $user === false ? null : UserId::onTheWire($user);
        $claims = [
            'aud' => 'esn-fanout',
            'iat' => $now,
            'exp' => (int) ceil($now) + $this->lifetime,
            'jti' => bin2hex(random_bytes(16)),
            'ep' => array_map(static fn (mixed $topic): string|array => self::topic($topic, $uid), array_values($topics)),
            'uid' => $uid,
            'clid' => $clientId,
            'last_id' => $lastId,
            'until' => $until,
            'sid' => $session === null ? null : SessionName::of($session),
            'deaf' => $deaf === null ? null : array_values($deaf),
        ];
        $ticket = $this->signer->jwt(array_filter($claims, static fn (mixed $claim): bool => $claim !== null));
        if (strlen($ticket) > self::MAX_BYTES) {
            throw new InvalidToken('A ticket has at most ' . self::MAX_BYTES . ' bytes: these are too many topics for one.');
        }
        return $ticket;
    }

    /** @return string|array<string, bool|string> */
    private static function topic(mixed $topic, ?string $user): string|array
    {
        $name = is_array($topic) ? $topic['topic'] ?? null : $topic;
        if (!is_string($name) || $name === '') {
            throw new InvalidToken('A topic of a ticket is a text, or has one as "topic".');
        }
        if (is_string($topic)) {
            return $topic;
        }
        if (array_diff_key($topic, ['topic' => 0, 'binded' => 0, 'private' => 0]) !== []) {
            throw new InvalidToken("The topic \"$name\" has a member beside topic, binded and private.");
        }
        $isUsers = ($topic['binded'] ?? false) || ($topic['private'] ?? false);
        if ($isUsers && $user === null) {
            throw new InvalidToken("The topic \"$name\" is heard as a user, and nobody was named.");
        }
        return $topic;
    }
}
