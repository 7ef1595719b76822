<?php

declare(strict_types=1);

namespace EsWebNotify\Token;

use EsWebNotify\Exception\InvalidToken;
use EsWebNotify\Keys\KeyFile;
use EsWebNotify\SessionName;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;
use EsWebNotify\UserId;

/** Makes access tokens: proofs, valid for minutes, of whose page it is and what it may hear. */
final class TokenMaker
{
    private const MAX_LIFETIME = 86_400;

    /**
     * @param int         $lifetime seconds: so long the page may hear, then it asks for another token
     * @param string|null $issuer   what [token] issuer of the broker says, if it says something
     * @param string|null $audience likewise [token] audience
     */
    public function __construct(
        private readonly JwtSigner $signer,
        private readonly int $lifetime = 300,
        private readonly ?string $issuer = null,
        private readonly ?string $audience = null,
        private readonly Clock $clock = new SystemClock(),
    ) {
        if ($lifetime < 1 || $lifetime > self::MAX_LIFETIME) {
            throw new InvalidToken('A token lives for 1 to ' . self::MAX_LIFETIME . ' seconds.');
        }
    }

    /** @param string $path of the file that the broker has as [token] keys_file, or of one with the same secret */
    public static function fromSecretFile(
        string $path,
        int $lifetime = 300,
        ?string $issuer = null,
        ?string $audience = null,
    ): self {
        return self::fromSecret(KeyFile::first($path), $lifetime, $issuer, $audience);
    }

    /** @param string $secret itself, of 32 characters or more */
    public static function fromSecret(
        #[\SensitiveParameter] string $secret,
        int $lifetime = 300,
        ?string $issuer = null,
        ?string $audience = null,
    ): self {
        return new self(JwtSigner::fromSecret($secret), $lifetime, $issuer, $audience);
    }

    /**
     * @param string      $pem   a private key of RSA or of an elliptic curve, or the path of its file; the broker has the public one
     * @param string|null $keyId "kid" in the broker's JWK Set
     */
    public static function fromPrivateKey(
        #[\SensitiveParameter] string $pem,
        int $lifetime = 300,
        ?string $issuer = null,
        ?string $audience = null,
        ?string $keyId = null,
        #[\SensitiveParameter] ?string $passphrase = null,
    ): self {
        return new self(JwtSigner::fromPrivateKey($pem, $passphrase, $keyId), $lifetime, $issuer, $audience);
    }

    /**
     * @param string|int|null $user     null: a visitor whom nobody knows
     * @param list<string>    $hear     private topics that the page may subscribe to; a pattern grants all that it covers
     * @param list<string>    $say      those on which the page may speak itself
     * @param mixed           $info     shown to others beside the user's id: any JSON of at most 1 KiB
     * @param string|null     $session  session_id(): so that Emitter::logout() finds the page
     * @param string|null     $clientId the page's name for presence, which it then cannot choose
     */
    public function forUser(
        string|int|null $user,
        array $hear = [],
        array $say = [],
        mixed $info = null,
        #[\SensitiveParameter] ?string $session = null,
        ?string $clientId = null,
    ): string {
        // With its fraction: a token of after a logout is told from one of before it in the same second.
        $now = round($this->clock->unixTime(), 3);
        $claims = [
            'sub' => $user === null ? null : UserId::onTheWire($user),
            'iat' => $now,
            'exp' => (int) ceil($now) + $this->lifetime,
            'iss' => $this->issuer,
            'aud' => $this->audience,
            'sid' => $session === null ? null : SessionName::of($session),
            'esn' => self::more($hear, $say, $info, $clientId),
        ];
        return $this->signer->jwt(array_filter($claims, static fn (mixed $claim): bool => $claim !== null));
    }

    /** @return array<string, mixed>|null */
    private static function more(array $hear, array $say, mixed $info, ?string $clientId): ?array
    {
        $more = [
            'info' => Grants::info($info),
            'sub' => Grants::patterns($hear) ?: null,
            'pub' => Grants::patterns($say) ?: null,
            'clid' => $clientId,
        ];
        return array_filter($more, static fn (mixed $one): bool => $one !== null) ?: null;
    }
}
