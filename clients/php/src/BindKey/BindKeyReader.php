<?php

declare(strict_types=1);

namespace EsWebNotify\BindKey;

use EsWebNotify\Exception\KeyUnusable;
use EsWebNotify\Keys\KeyFile;
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

    /**
     * The session id in a valid bind key; null for every other, whatever is wrong with it.
     *
     * @param string|null $why what is wrong, for the log: never for whoever sent it
     */
    public function sessionId(#[\SensitiveParameter] string $bindKey, ?string &$why = null): ?string
    {
        [$text, $why] = $this->open(trim($bindKey));
        $content = json_decode($text, true, 4);
        if (!is_array($content) || !is_int($content['iat'] ?? null) || !is_string($content['session_id'] ?? null)) {
            $why ??= $this->whyNoContent($content);
            return null;
        }
        $why ??= $this->whyNotFresh($content['iat']);
        $isSessionId = preg_match(self::SESSION_ID, $content['session_id']) === 1;
        $why ??= $isSessionId ? null : 'the session id in it cannot be one';
        return $why === null ? $content['session_id'] : null;
    }

    /** @return array{string, ?string} the text, and why it is not the key's */
    private function open(#[\SensitiveParameter] string $bindKey): array
    {
        if (strlen($bindKey) > self::MAX_LENGTH) {
            return [self::NOTHING, 'longer than ' . self::MAX_LENGTH . ' bytes'];
        }
        $sealed = base64_decode($bindKey, true);
        $isOpen = $sealed !== false
            && openssl_private_decrypt($sealed, $text, $this->key->key, $this->padding->opensslConstant());
        KeyFile::forgetOpensslErrors();
        return match (true) {
            $isOpen => [$text, null],
            $bindKey === '' => [self::NOTHING, 'empty'],
            $sealed === false => [self::NOTHING, 'no base64'],
            default => [self::NOTHING, $this->otherKeys()],
        };
    }

    /** With newer OpenSSL a wrong key or padding of PKCS#1 is not noticed, but what comes out is nonsense. */
    private function whyNoContent(mixed $content): string
    {
        return match (true) {
            !is_array($content) => $this->otherKeys(),
            isset($content['uid']) => 'a key for publishing, not for subscribing',
            default => 'no iat and session_id in it',
        };
    }

    private function otherKeys(): string
    {
        return "made with another key pair, or with another padding than {$this->padding->name}";
    }

    private function whyNotFresh(int $iat): ?string
    {
        $age = (int) floor($this->clock->unixTime()) - $iat;
        return match (true) {
            $age > $this->tolerance + $this->clockSkew => 'expired by ' . ($age - $this->tolerance - $this->clockSkew) . ' s',
            $age < -$this->clockSkew => 'made ' . -$age . ' s in the future: the clocks differ',
            default => null,
        };
    }
}
