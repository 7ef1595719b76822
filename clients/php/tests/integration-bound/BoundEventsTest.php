<?php

declare(strict_types=1);

namespace EsWebNotify\Tests\IntegrationBound;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\BindKey\RsaKey;
use EsWebNotify\Emitter;
use EsWebNotify\Event;
use EsWebNotify\EventPoint;
use EsWebNotify\Exception\BindKeyRefused;
use EsWebNotify\Exception\Refused;
use EsWebNotify\Tests\Support\FakeClock;
use EsWebNotify\Tests\Support\Keys;
use EsWebNotify\Tests\Support\Rights;
use EsWebNotify\Tests\Support\Sessions;
use EsWebNotify\Tests\Support\Stack;
use EsWebNotify\Tests\Support\Subscriber;
use EsWebNotify\TimeLimits;
use EsWebNotify\TopicResult;
use PHPUnit\Framework\TestCase;

/** Bound events through the whole way: PHP session, binding server, rights in the database, broker. */
final class BoundEventsTest extends TestCase
{
    private Emitter $emitter;
    private Rights $rights;
    private Sessions $sessions;
    private BindKeyMaker $pages;
    private string $topic;

    protected function setUp(): void
    {
        $meaning = 'file of the public key that publishing bind keys are made with';
        $this->emitter = $this->emitterWith(RsaKey::public(Stack::variable('ESN_PUBLISH_PUBLIC_KEY', $meaning)));
        $meaning = 'file of the public key that subscribing bind keys are made with';
        $this->pages = BindKeyMaker::fromPublicKey(Stack::variable('ESN_SUBSCRIBE_PUBLIC_KEY', $meaning));
        $this->sessions = new Sessions();
        $this->rights = new Rights();
        $this->topic = Stack::topic('bound');
    }

    protected function tearDown(): void
    {
        $this->rights->forgetAll();
        $this->sessions->closeAll();
    }

    public function testOnlyThoseWhoMayHearItAndAtOnceThoseWhoMayLater(): void
    {
        $this->rights->register($this->topic, 'ana', sub: ['eva']);
        [$ana, $eva, $tom, $visitor] = array_map($this->page(...), ['ana', 'eva', 'tom', null]);
        $emitter = $this->emitter->onBehalfOf('ana');

        self::assertSame(2, $emitter->emit(new Event('first'), EventPoint::bound($this->topic))->receivers);
        $this->rights->allow($this->topic, ['tom', '[][][]']);
        self::assertSame(3, $emitter->emit(new Event('second'), EventPoint::bound($this->topic))->receivers);

        self::assertSame(['first', 'second'], [$ana->next()['e']['type'], $ana->next()['e']['type']]);
        self::assertSame('first', $eva->next()['e']['type']);
        self::assertSame('second', $tom->next()['e']['type']);
        self::assertSame('second', $visitor->next()['e']['type']);
    }

    public function testALogoutFindsTheSessionThatTheBindingServerHasNamed(): void
    {
        $session = $this->sessions->open('ana');
        $page = $this->subscribe($session, $this->topic);

        self::assertSame(1, $this->emitter->logout($session));
        self::assertSame('dropped', $page->next()['e']['type']);
    }

    public function testAShoutDoesNotReachBoundSubscriptionsNorABoundEventPlainOnes(): void
    {
        $this->rights->register($this->topic, 'ana', sub: ['+']);
        $bound = $this->page('eva');
        $plain = new Subscriber(Stack::baseUrl(), [$this->topic]);
        $emitter = $this->emitter->onBehalfOf('ana');
        $emitter->emit(new Event('shout'), EventPoint::shout($this->topic));
        $emitter->emit(new Event('bound'), EventPoint::bound($this->topic));
        $emitter->emit(new Event('shout again'), EventPoint::shout($this->topic));

        self::assertSame('bound', $bound->next()['e']['type']);
        self::assertSame(['shout', 'shout again'], [$plain->next()['e']['type'], $plain->next()['e']['type']]);
    }

    /** @dataProvider publishers */
    public function testWhoMaySayIt(bool $may, ?string $publisher, array $pub): void
    {
        $this->rights->register($this->topic, 'ana', $pub);

        self::assertSame($may ? TopicResult::SENT : TopicResult::FORBIDDEN, $this->resultOf($publisher, null));
    }

    /** @return array<string, array{bool, ?string, list<string>}> */
    public function publishers(): array
    {
        return [
            'owner' => [true, 'ana', []],
            'listed' => [true, 'eva', ['tom', 'eva']],
            'not listed' => [false, 'eva', ['tom']],
            'every user' => [true, 'eva', ['+']],
            'visitor among users' => [false, null, ['+']],
            'visitor' => [true, null, ['[][][]']],
            'user among visitors' => [false, 'eva', ['[][][]']],
            'everyone' => [true, null, ['*']],
        ];
    }

    public function testThePassword(): void
    {
        $hash = password_hash('sesame', PASSWORD_BCRYPT, ['cost' => 5]);
        $this->rights->register($this->topic, 'ana', hash: $hash);

        self::assertSame(TopicResult::SENT, $this->resultOf('ana', 'sesame'));
        self::assertSame(TopicResult::WRONG_PASSWORD, $this->resultOf('ana', 'simsim'));
        self::assertSame(TopicResult::WRONG_PASSWORD, $this->resultOf('ana', null));
    }

    public function testATopicThatNobodyRegistered(): void
    {
        self::assertSame(TopicResult::UNREGISTERED, $this->resultOf('ana', null));
    }

    public function testSomeSentAndSomeRefused(): void
    {
        $this->rights->register($this->topic, 'ana');
        $receipt = $this->emitter->onBehalfOf('ana')->emit(
            new Event('t'),
            EventPoint::bound($this->topic),
            EventPoint::bound("{$this->topic}/none"),
        );

        self::assertTrue($receipt->topics[0]->isSent());
        self::assertSame([TopicResult::UNREGISTERED], array_column($receipt->refused(), 'result'));
    }

    public function testATargetedEventReachesTheInboxOfThoseWhoFollow(): void
    {
        $this->rights->register($this->topic, 'ana', sub: ['eva', 'tom']);
        $this->rights->follow($this->topic, 'eva');
        [$eva, $tom] = array_map(fn (string $user): Subscriber => $this->page($user, '@USER@'), ['eva', 'tom']);
        $receipt = $this->emitter->onBehalfOf('ana')->emit(new Event('t'), EventPoint::targeted($this->topic));
        $this->rights->follow($this->topic, 'tom');
        $this->emitter->onBehalfOf('ana')->emit(new Event('later'), EventPoint::targeted($this->topic));

        self::assertSame(1, $receipt->receivers);
        $frame = $eva->next();
        self::assertSame(['requested' => '@USER@', 'emitted' => $this->topic], $frame['ep']);
        self::assertSame('later', $tom->next()['e']['type']);
    }

    /** @dataProvider worthlessKeys */
    public function testABindKeyThatIsNotValid(callable $key, FakeClock|null $clock): void
    {
        $this->rights->register($this->topic, 'ana', ['*']);

        $this->expectException(BindKeyRefused::class);
        $this->emitterWith($key(), $clock)->onBehalfOf('ana')->emit(new Event('t'), EventPoint::bound($this->topic));
    }

    /** @return array<string, array{callable, ?FakeClock}> */
    public function worthlessKeys(): array
    {
        $right = static fn (): RsaKey => RsaKey::public(Stack::variable('ESN_PUBLISH_PUBLIC_KEY', 'a PEM file'));
        return [
            'made with another key' => [static fn (): RsaKey => RsaKey::public(Keys::public()), null],
            'of an hour ago' => [$right, new FakeClock(microtime(true) - 3600.0)],
            'of the next hour' => [$right, new FakeClock(microtime(true) + 3600.0)],
        ];
    }

    public function testASessionThatIsNotThereHearsNothing(): void
    {
        $this->expectException(\RuntimeException::class);
        $this->expectExceptionMessage('The stream ended with 400');
        $this->subscribe(bin2hex(random_bytes(16)), $this->topic);
    }

    private function resultOf(?string $publisher, ?string $password): string
    {
        try {
            $point = EventPoint::bound($this->topic, $password);
            return $this->emitter->onBehalfOf($publisher)->emit(new Event('t'), $point)->topics[0]->result;
        } catch (Refused $failure) {
            return $failure->results[0]->result;
        }
    }

    private function page(?string $user, ?string $topic = null): Subscriber
    {
        return $this->subscribe($this->sessions->open($user), $topic ?? $this->topic);
    }

    private function subscribe(string $sessionId, string $topic): Subscriber
    {
        $points = [['topic' => $topic, 'binded' => true]];
        return new Subscriber(Stack::baseUrl(), $points, $this->pages->forSubscribing($sessionId));
    }

    private function emitterWith(RsaKey $key, ?FakeClock $clock = null): Emitter
    {
        $keys = $clock === null ? new BindKeyMaker($key) : new BindKeyMaker($key, clock: $clock);
        return new Emitter(Stack::eventUrl(), bindKeys: $keys, limits: new TimeLimits(30.0, 10.0));
    }
}
