<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\Integration;

use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Signing\PostSigner;
use EsWebNotify\Tests\Support\Stack;
use EsWebNotify\Tests\Support\Subscriber;
use EsWebNotify\TimeLimits;
use EsWebNotify\Token\TicketMaker;
use EsWebNotify\Token\TokenMaker;
use PHPUnit\Framework\TestCase;

/** Access tokens, tickets and signed posts, with the programs that they are for. */
final class IdentityTest extends TestCase
{
    private const INBOX = ['topic' => '@USER@', 'binded' => true];

    private Emitter $emitter;
    private TokenMaker $tokens;

    protected function setUp(): void
    {
        $this->emitter = new Emitter(Stack::eventUrl(), limits: new TimeLimits(30.0, 10.0));
        $this->tokens = TokenMaker::fromSecretFile(Stack::variable('ESN_TOKEN_KEYS', 'the file of [token] keys_file'));
    }

    public function testAPrivateEventReachesThoseWhoWereGrantedIt(): void
    {
        $topic = Stack::topic('private');
        $granted = $this->subscribe('ana', [['topic' => "$topic/4711", 'private' => true]], ["$topic/#"]);
        $open = new Subscriber(Stack::baseUrl(), ["$topic/#"]);
        $receipt = $this->emitter->emit(new Event('packed'), EventPoint::private("$topic/4711"));
        $this->emitter->emit(new Event('open'), EventPoint::shout("$topic/4711"));

        self::assertSame(1, $receipt->receivers);
        self::assertSame('packed', $granted->next()['e']['type']);
        self::assertSame('open', $open->next()['e']['type']);
    }

    public function testWhatIsNotGrantedIsRefused(): void
    {
        $topic = Stack::topic('not-granted');
        $this->expectExceptionMessage("Not granted: $topic");
        $this->subscribe('ana', [['topic' => $topic, 'private' => true]], ["$topic/below"]);
    }

    public function testToUsersOnWhateverPage(): void
    {
        [$ana, $luis, $eva] = ['ana ' . bin2hex(random_bytes(4)), random_int(1, 1 << 40), 'eva ' . bin2hex(random_bytes(4))];
        $inboxes = array_map(fn (string|int $user): Subscriber => $this->subscribe($user, [self::INBOX]), [$ana, $luis, $eva]);
        $receipt = $this->emitter->emit(new Event('shipped'), EventPoint::user([$ana, $luis], 'orders/4711'));
        $this->emitter->emit(new Event('end'), EventPoint::user($eva, 'orders/4712'));

        self::assertSame(2, $receipt->receivers);
        foreach ([0, 1] as $number) {
            $frame = $inboxes[$number]->next();
            self::assertSame(['requested' => '@USER@', 'emitted' => 'orders/4711'], $frame['ep']);
        }
        self::assertSame('end', $inboxes[2]->next()['e']['type']);
    }

    public function testATicketOpensAStreamOfTheDaemonItself(): void
    {
        $topic = Stack::topic('ticket');
        $tickets = TicketMaker::fromSecretFile(Stack::variable('ESN_TICKET_SECRET', 'the file of [ticket] secret_file'));
        $ticket = $tickets->make(['other', ['topic' => $topic, 'private' => true]], 'ana', session: 'the session', until: time() + 60);
        $daemon = Stack::variable('ESN_FANOUT_URL', 'the address of the daemon');
        $subscriber = new Subscriber("$daemon?ticket=$ticket", []);
        $this->emitter->emit(new Event('heard'), EventPoint::private($topic));

        self::assertSame('heard', $subscriber->next()['e']['type']);
    }

    public function testALogoutEndsTheStreamsOfASessionAndWhatWasSignedForItBefore(): void
    {
        [$user, $session] = ['ana ' . bin2hex(random_bytes(4)), bin2hex(random_bytes(16))];
        $before = $this->tokens->forUser($user, session: $session);
        $streams = [$this->subscribe($user, [self::INBOX], session: $session), $this->subscribe($user, [self::INBOX], session: $session)];
        $elsewhere = $this->subscribe($user, [self::INBOX], session: "another $session");

        self::assertSame(2, $this->emitter->logout($session));
        foreach ($streams as $stream) {
            self::assertSame('dropped', $stream->next()['e']['type']);
        }
        self::assertSame(1, $this->emitter->emit(new Event('t'), EventPoint::user($user, 'a'))->receivers);
        self::assertSame('t', $elsewhere->next()['e']['type']);
        try {
            new Subscriber(Stack::baseUrl(), [self::INBOX], token: $before);
            self::fail('The token of before was taken');
        } catch (\RuntimeException $refusal) {
            self::assertStringContainsString('403', $refusal->getMessage());
        }
        $again = $this->subscribe($user, [self::INBOX], session: $session);
        self::assertSame(2, $this->emitter->drop($user, for: 0));
        self::assertSame('dropped', $again->next()['e']['type']);
    }

    public function testASignedPost(): void
    {
        $key = Stack::variable('ESN_SHOP_KEY', 'the secret of the publisher "shop"');
        $url = explode('?', Stack::eventUrl(), 2)[0];
        $topic = Stack::topic('signed');
        $subscriber = new Subscriber(Stack::baseUrl(), [$topic]);
        foreach ([$url, "$url?one=1&two"] as $address) {
            $signed = new Emitter($address, limits: new TimeLimits(30.0, 10.0), signer: PostSigner::fromSecretFile('shop', $key));
            self::assertSame(1, $signed->emit(new Event('t', 'ñ'), EventPoint::shout($topic))->receivers);
            self::assertSame(['type' => 't', 'detail' => 'ñ'], $subscriber->next()['e']);
        }
        $this->expectException(Unauthorised::class);
        $other = PostSigner::fromSecret('shop', str_repeat('x', 64));
        (new Emitter($url, signer: $other))->emit(new Event('t'), EventPoint::shout($topic));
    }

    /**
     * @param list<array<string, mixed>> $topics
     * @param list<string>               $hear
     */
    private function subscribe(string|int $user, array $topics, array $hear = [], ?string $session = null): Subscriber
    {
        return new Subscriber(Stack::baseUrl(), $topics, token: $this->tokens->forUser($user, $hear, session: $session));
    }
}
