<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Keys\KeyFile;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;
use EsWebNotify\UserId;

/** Makes bind keys: proofs, valid for a few seconds, of who is asking. Whoever has its public key can make them. */
final class BindKeyMaker
{
    public function __construct(
        private readonly RsaKey $key,
        private readonly Padding $padding = Padding::Pkcs1,
        private readonly Clock $clock = new SystemClock(),
    ) {
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function fromPublicKey(string $pem, Padding $padding = Padding::Pkcs1): self
    {
        return new self(RsaKey::public($pem), $padding);
    }

    /** For a page that subscribes: names the PHP session, which the binding server then looks into. */
    public function forSubscribing(#[\SensitiveParameter] string $sessionId): string
    {
        if ($sessionId === '') {
            throw new KeyUnusable('There is no session id: call session_start() first.');
        }
        return $this->seal(['iat' => $this->now(), 'session_id' => $sessionId]);
    }

    /** For a post to the broker: names the user; null for a visitor whom nobody knows. */
    public function forPublishing(string|int|null $user): string
    {
        return $this->seal(['iat' => $this->now(), 'uid' => UserId::onTheWire($user)]);
    }

    private function now(): int
    {
        return (int) floor($this->clock->unixTime());
    }

    /** @param array<string, int|string> $content */
    private function seal(#[\SensitiveParameter] array $content): string
    {
        $text = json_encode($content, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        $room = $this->key->bytes - $this->padding->overhead();
        if (strlen($text) > $room) {
            $length = strlen($text);
            throw new KeyUnusable("$length bytes do not fit into a bind key of this key's size: at most $room do.");
        }
        if (!openssl_public_encrypt($text, $sealed, $this->key->key, $this->padding->opensslConstant())) {
            KeyFile::forgetOpensslErrors();
            throw new KeyUnusable('Encrypting with this key failed.');
        }
        return base64_encode($sealed);
    }
}
