<?php

declare(strict_types=1);

namespace EsWebNotify;

use EsWebNotify\BindKey\BindKeyMaker;
use EsWebNotify\Exception\BatchIncomplete;
use EsWebNotify\Exception\BrokerUnreachable;
use EsWebNotify\Exception\InvalidEvent;
use EsWebNotify\Exception\NotifyException;
use EsWebNotify\Exception\Unauthorised;
use EsWebNotify\Exception\UnexpectedAnswer;
use EsWebNotify\Http\Address;
use EsWebNotify\Http\AnswerReader;
use EsWebNotify\Http\BatchPost;
use EsWebNotify\Http\CurlTransport;
use EsWebNotify\Http\HttpAnswer;
use EsWebNotify\Http\Post;
use EsWebNotify\Http\ReportReader;
use EsWebNotify\Http\RetryingPost;
use EsWebNotify\Http\Transport;
use EsWebNotify\Quiet\AfterResponse;
use EsWebNotify\Quiet\DownMemory;
use EsWebNotify\Quiet\FileDownMemory;
use EsWebNotify\Quiet\QuietEmitter;
use EsWebNotify\Signing\PostSigner;
use EsWebNotify\Time\Backoff;
use EsWebNotify\Time\Clock;
use EsWebNotify\Time\SystemClock;

/** Hands events to the broker. */
final class Emitter implements EventEmitter
{
    private readonly RetryingPost $post;
    /** @var list<string|int|null> the user who says bound events; empty: nobody was named */
    private array $onBehalf = [];
    /** @var array{report?: true|array{within: int}} of what is posted */
    private array $wish = [];

    /**
     * @param string            $url      of the broker's /event, with or without "?token=..."
     * @param string|null       $token    the entry token, when it is not in the URL
     * @param BindKeyMaker|null $bindKeys with the broker's public key; needed for bound events alone
     * @param PostSigner|null   $signer   signs each post as a publisher with a name, in place of the token
     */
    public function __construct(
        #[\SensitiveParameter] private readonly string $url,
        #[\SensitiveParameter] private readonly ?string $token = null,
        private readonly ?BindKeyMaker $bindKeys = null,
        private TimeLimits $limits = new TimeLimits(),
        ?Transport $transport = null,
        private readonly Clock $clock = new SystemClock(),
        private readonly Backoff $backoff = new Backoff(),
        private readonly ?PostSigner $signer = null,
    ) {
        $this->post = new RetryingPost($transport ?? CurlTransport::shared(), $clock, $backoff);
    }

    /** An emitter that says bound events on this user's behalf; null for a visitor whom nobody knows. */
    public function onBehalfOf(string|int|null $user): self
    {
        UserId::onTheWire($user);
        $copy = clone $this;
        $copy->onBehalf = [$user];
        return $copy;
    }

    /**
     * An emitter of whose events report() knows who had them. A publisher with a name needs `may = report`.
     *
     * @param int|null $within seconds after which the broker tells, on the private topic `@SERVER@/undelivered` or
     *                         `@SERVER@/undelivered/PUBLISHER`, which of the users named by EventPoint::user() had not had it
     */
    public function withReport(?int $within = null): self
    {
        if ($within !== null && $within < 1) {
            throw new InvalidEvent('"within" is a number of seconds, 1 or more.');
        }
        $copy = clone $this;
        $copy->wish = ['report' => $within === null ? true : ['within' => $within]];
        return $copy;
    }

    public function withTimeLimits(TimeLimits $limits): self
    {
        $copy = clone $this;
        $copy->limits = $limits;
        return $copy;
    }

    /**
     * An emitter for pages: it returns false where this one throws, takes at most $timeLimit seconds, and takes none
     * for some seconds after the broker was found to be down.
     *
     * @param (\Closure(NotifyException): void)|null $report called once for each failure; default: PHP's error log
     */
    public function quiet(float $timeLimit = 1.0, ?\Closure $report = null, ?DownMemory $memory = null): QuietEmitter
    {
        $limits = new TimeLimits(min($timeLimit, $this->limits->total), $this->limits->connect);
        return new QuietEmitter(
            $this->withTimeLimits($limits),
            $memory ?? FileDownMemory::forUrl($this->url, $this->clock),
            $report,
        );
    }

    /**
     * Returns when the broker has the event, which it then delivers once.
     *
     * @throws NotifyException
     */
    public function emit(Event $event, EventPoint ...$points): Receipt
    {
        return $this->emitOutgoing($this->prepare(null, $event, array_values($points), []));
    }

    /**
     * As emit(), with an id of your own: an event emitted again with the same id is not delivered twice. For queues
     * that go on trying after BrokerUnreachable.
     *
     * @param string $id UTF-8 text of 1 to 200 bytes
     *
     * @throws NotifyException
     */
    public function emitOnce(string $id, Event $event, EventPoint ...$points): Receipt
    {
        return $this->emitOutgoing($this->prepare($id, $event, array_values($points), []));
    }

    public function batch(): Batch
    {
        return new Batch($this->prepare(...), $this->deliver(...));
    }

    /**
     * One that gathers events and sends them when the page has been answered. The arguments are those of quiet().
     *
     * @param (\Closure(NotifyException): void)|null $report
     */
    public function afterResponse(float $timeLimit = 1.0, ?\Closure $report = null, ?DownMemory $memory = null): AfterResponse
    {
        return $this->quiet($timeLimit, $report, $memory)->afterResponse();
    }

    public function drop(
        string|int|null $user = null,
        #[\SensitiveParameter] ?string $session = null,
        ?int $connection = null,
        ?string $client = null,
        ?int $for = null,
    ): int {
        $drop = (new Drop($user, $session, $connection, $client, $for))->json();
        return (new AnswerReader())->readDropped($this->send(Address::beside($this->url, 'drop'), static fn (): string => $drop));
    }

    public function logout(#[\SensitiveParameter] string $session, int $for = self::LOGOUT_FOR): int
    {
        return $this->drop(session: $session, for: $for);
    }

    public function position(): string
    {
        return (new AnswerReader())->readPosition($this->send($this->url, static fn (): ?string => null));
    }

    /**
     * Who had an event of withReport(): Receipt::$id, or that of one of its topics. Null: it is not known, since it was emitted without,
     * or too long ago ([log] report_time), or the broker was started anew.
     *
     * @throws NotifyException
     */
    public function report(string $id): ?Report
    {
        $url = Address::beside($this->url, 'event/' . rawurlencode($id));
        return (new ReportReader())->read($this->send($url, static fn (): ?string => null));
    }

    /** @param \Closure(): ?string $body null: GET */
    private function send(#[\SensitiveParameter] string $url, \Closure $body): HttpAnswer
    {
        $post = function () use ($url, $body): Post {
            $text = $body();
            return new Post([...$this->headers($text !== null), ...$this->signature($url, $text)], $text);
        };
        return $this->post->send($url, $post, $this->limits);
    }

    /** @return list<string> */
    private function signature(#[\SensitiveParameter] string $url, ?string $body): array
    {
        if ($this->signer === null) {
            return [];
        }
        return $this->signer->headers($url, $body ?? '', (int) floor($this->clock->unixTime()), $body === null ? 'GET' : 'POST');
    }

    private function emitOutgoing(OutgoingEvent $event): Receipt
    {
        return (new AnswerReader())->read($this->send($this->url, fn (): string => $event->body($this->bindKeys)));
    }

    /**
     * @param list<OutgoingEvent> $events
     *
     * @return list<Receipt>
     */
    private function deliver(array $events): array
    {
        $post = fn (\Closure $body, TimeLimits $limits): HttpAnswer => $this->withTimeLimits($limits)->send($this->url, $body);
        $text = fn (OutgoingEvent $event): string => $event->body($this->bindKeys);
        $outcomes = (new BatchPost($events, $post, $text, $this->clock, $this->backoff))->send($this->limits);
        $failures = array_filter($outcomes, static fn (Receipt|NotifyException $one): bool => $one instanceof NotifyException);
        if ($failures === []) {
            return $outcomes;
        }
        $isOfAll = static fn (Receipt|NotifyException $one): bool => $one instanceof BrokerUnreachable || $one instanceof Unauthorised
            || $one instanceof UnexpectedAnswer;
        throw array_filter($outcomes, $isOfAll) === $outcomes ? $outcomes[0] : new BatchIncomplete($outcomes);
    }

    /**
     * @param list<EventPoint>      $points
     * @param list<string|int|null> $onBehalf of a batch; empty: as onBehalfOf() was told
     */
    private function prepare(?string $id, Event $event, array $points, array $onBehalf): OutgoingEvent
    {
        $outgoing = new OutgoingEvent($id, $event, $points, $onBehalf === [] ? $this->onBehalf : $onBehalf, $this->wish);
        if ($outgoing->isBound && $this->bindKeys === null) {
            throw new InvalidEvent('A bound event needs a BindKeyMaker in the emitter.');
        }
        return $outgoing;
    }

    /** @return list<string> */
    private function headers(bool $hasBody): array
    {
        $headers = [...($hasBody ? ['Content-Type: application/json'] : []), 'Accept: application/json'];
        if ($this->token !== null && $this->signer === null) {
            $headers[] = 'Authorization: Bearer ' . $this->token;
        }
        return $headers;
    }
}
