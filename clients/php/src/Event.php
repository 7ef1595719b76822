<?php

declare(strict_types=1);

namespace EsWebNotify;

/** What happened: a type and, if wanted, a detail of any JSON value. */
final class Event implements \JsonSerializable
{
    private readonly bool $hasDetail;

    /** `new Event('tick')` has no detail; `new Event('tick', null)` has the detail null. */
    public function __construct(public readonly string $type, private readonly mixed $detail = null)
    {
        $this->hasDetail = func_num_args() > 1;
    }

    /** @return array{type: string, detail?: mixed} */
    public function jsonSerialize(): array
    {
        return $this->hasDetail ? ['type' => $this->type, 'detail' => $this->detail] : ['type' => $this->type];
    }
}
