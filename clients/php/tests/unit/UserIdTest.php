<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Unit;

use EsWebNotify\Exception\InvalidUser;
use EsWebNotify\UserId;
use PHPUnit\Framework\TestCase;

final class UserIdTest extends TestCase
{
    public function testUsersAsTheyGoOverTheWire(): void
    {
        self::assertSame('ana', UserId::onTheWire('ana'));
        self::assertSame('42', UserId::onTheWire(42));
        self::assertSame('0', UserId::onTheWire(0));
        self::assertSame(str_repeat('é', 127), UserId::onTheWire(str_repeat('é', 127)));
        self::assertSame('[][][]', UserId::onTheWire(null));
    }

    /** @dataProvider impossible */
    public function testNoUserIsCalledLikeAWildcard(string $id): void
    {
        $this->expectException(InvalidUser::class);
        UserId::onTheWire($id);
    }

    /** @return array<string, array{string}> */
    public function impossible(): array
    {
        return [
            'empty' => [''], 'plus' => ['+'], 'star' => ['*'], 'nobody' => ['[][][]'], 'refusal' => ['__DONT__'],
            'too long' => [str_repeat('é', 128)], 'NUL' => ["ana\0eva"], 'not UTF-8' => ["\xc3"],
        ];
    }
}
