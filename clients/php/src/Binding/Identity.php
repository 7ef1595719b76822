<?php

declare(strict_types=1);

namespace EsWebNotify\Binding;

use EsWebNotify\Token\Grants;
use EsWebNotify\UserId;

/** Whose session it is and what that user may hear, for a BindingServer whose function has more to say than a user's id. */
final class Identity
{
    /**
     * @param string|int|null $user  null: a session without a user
     * @param list<string>    $hear  private topics that the page may subscribe to; a pattern grants all that it covers
     * @param list<string>    $say   those on which the page may speak itself
     * @param mixed           $info  shown to others beside the user's id: any JSON of at most 1 KiB
     * @param int|float|null  $until seconds since 1970: then the page has to ask again
     */
    public function __construct(
        public readonly string|int|null $user,
        public readonly array $hear = [],
        public readonly array $say = [],
        public readonly mixed $info = null,
        public readonly int|float|null $until = null,
    ) {
    }

    /** @return array<string, mixed> as the broker wants it */
    public function answer(string $sessionName): array
    {
        $user = $this->user === null || $this->user === '' ? null : UserId::onTheWire($this->user);
        $more = [
            'until' => $this->until,
            'sid' => $sessionName,
            'info' => Grants::info($this->info),
            'sub' => Grants::patterns($this->hear) ?: null,
            'pub' => Grants::patterns($this->say) ?: null,
        ];
        return ['uid' => $user] + array_filter($more, static fn (mixed $one): bool => $one !== null);
    }
}
