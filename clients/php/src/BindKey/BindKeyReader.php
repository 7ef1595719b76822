<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;

/** Opens the bind keys that pages subscribe with. */
final class BindKeyReader
{
    private const MAX_LENGTH = 4096;
    private const SESSION_ID = '/^[A-Za-z0-9,-]{1,256}$/D';
    /** Read in place of what could not be decrypted, so that this takes the same way. */
    private const NOTHING = '{"iat":0,"session_id":"----------------------------------"}';

    /**
     * @param int $tolerance seconds for which a bind key is valid
     * @param int $clockSkew seconds by which the clocks of the machines may differ
     */
    public function __construct(
        private readonly RsaKey $key,
        private readonly Padding $padding = Padding::Pkcs1,
        private readonly int $tolerance = 3,
        private readonly int $clockSkew = 0,
        private readonly Clock $clock = new SystemClock(),
    ) {
        if (!$key->isPrivate) {
            throw new KeyUnusable('Bind keys are opened with the private key.');
        }
    }

    /** @param string $pem text of a PEM, or the path of a file */
    public static function fromPrivateKey(
        #[\SensitiveParameter] string $pem,
        Padding $padding = Padding::Pkcs1,
        int $tolerance = 3,
        int $clockSkew = 0,
        #[\SensitiveParameter] ?string $passphrase = null,
    ): self {
        return new self(RsaKey::private($pem, $passphrase), $padding, $tolerance, $clockSkew);
    }

    /** The session id in a valid bind key; null for every other, whatever is wrong with it. */
    public function sessionId(#[\SensitiveParameter] string $bindKey): ?string
    {
        $content = json_decode($this->open(trim($bindKey)), true, 4);
        if (!is_array($content) || !is_int($content['iat'] ?? null) || !is_string($content['session_id'] ?? null)) {
            return null;
        }
        $isFresh = $this->isFresh($content['iat']);
        $isSessionId = preg_match(self::SESSION_ID, $content['session_id']) === 1;
        return $isFresh && $isSessionId ? $content['session_id'] : null;
    }

    private function open(#[\SensitiveParameter] string $bindKey): string
    {
        $sealed = strlen($bindKey) <= self::MAX_LENGTH ? base64_decode($bindKey, true) : false;
        $isOpen = $sealed !== false
            && openssl_private_decrypt($sealed, $text, $this->key->key, $this->padding->opensslConstant());
        RsaKey::forgetOpensslErrors();
        return $isOpen ? $text : self::NOTHING;
    }

    private function isFresh(int $iat): bool
    {
        $now = (int) floor($this->clock->unixTime());
        return $iat >= $now - $this->tolerance - $this->clockSkew && $iat <= $now + $this->clockSkew;
    }
}
