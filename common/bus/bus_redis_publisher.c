#include "bus/bus_engine.h"
#include "bus/bus_redis_call.h"
#include "bus/bus_redis_link.h"
#include "bus/bus_redis_look.h"
#include "bus/bus_redis_receivers.h"
#include "clock.h"
#include "hex.h"
#include "secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* docs/bus.md gives the reasons for these numbers. */
enum {
    CALL_EVENTS = 128,
    CALL_BYTES = 1 << 20,
    TRY_AGAIN_MS = 20,
    ASK_AGAIN_MS = 100,    /* a question that not everybody has answered */
    QUESTION_TIME_MS = 500 /* then it goes without those who are silent */
};

struct redis_publisher {
    struct bus_publisher base; /* first */
    struct bus_redis_options options;
    uint64_t id;
    uint64_t last_sequence, last_batch;
    struct redis_link link; /* commands */
    struct redis_link acks; /* subscribed to what daemons say */
    struct redis_call call;
    struct redis_peers peers;
    unsigned *living; /* nodes, at the last call */
    size_t living_count;
    bool down;              /* the last publish was not answered in time */
    uint64_t asks_again_at; /* while down: nobody waits before (ms of the monotonic clock) */
    char trouble[REDIS_CLIENT_ERROR_SIZE];
};

/* One call of bus_publish(). */
struct redis_publication {
    struct bus_event *events;
    size_t count;
    uint64_t first_sequence;
    uint64_t until; /* ms of the monotonic clock */
};

static void close_publisher(struct bus_publisher *base)
{
    struct redis_publisher *old = (struct redis_publisher *)base;
    redis_link_close(&old->link);
    redis_link_close(&old->acks);
    redis_call_free(&old->call);
    redis_peers_free(&old->peers);
    free(old->living);
    free(old);
}

static struct bus_publisher *open_publisher(const struct bus_options *options,
                                            char error[BUS_ERROR_SIZE])
{
    struct redis_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    publisher->base.calls = &bus_redis_publisher;
    publisher->options = options->redis;
    publisher->peers.lease_ms = options->redis.lease_ms;
    if (secret_random(&publisher->id, sizeof publisher->id) &&
        redis_link_open(&publisher->link, &publisher->options, options->max_message_bytes) &&
        redis_link_open(&publisher->acks, &publisher->options, options->max_message_bytes))
        return &publisher->base;
    snprintf(error, BUS_ERROR_SIZE, "no memory or no random bytes for the bus");
    close_publisher(&publisher->base);
    return NULL;
}

/* ---- connections ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t left_until(uint64_t until)
{
    uint64_t now = clock_monotonic_ms();
    return now < until ? until - now : 0;
}

static bool subscribe(struct redis_publisher *publisher)
{
    char name[32];
    struct bytes text = BYTES_EMPTY;
    snprintf(name, sizeof name, "ack:%016" PRIx64, publisher->id);
    const struct redis_word words[] = {{"SUBSCRIBE", 9},
                                       redis_link_key(&text, &publisher->acks, name)};
    struct redis_answer *answer = text.failed ? NULL : redis_link_ask(&publisher->acks, words, 2);
    bool subscribed = answer != NULL;
    redis_answer_free(&answer);
    bytes_free(&text);
    return subscribed;
}

static void set_limits(struct redis_publisher *publisher, uint64_t until)
{
    const struct redis_options *redis = publisher->options.redis;
    uint64_t left = left_until(until) + 1;
    uint64_t connect_ms = earlier(redis->connect_ms, left);
    uint64_t limit_ms = earlier(redis->limit_ms, left);
    redis_client_set_limits(publisher->link.client, connect_ms, limit_ms);
    redis_client_set_limits(publisher->acks.client, connect_ms, limit_ms);
}

/* What lies on the channel is of an earlier call; that the connection is lost is to be known before the events go out
 * whose acknowledgements it would bring. */
static void empty_acks(struct redis_publisher *publisher)
{
    struct redis_link *acks = &publisher->acks;
    struct redis_answer *answer;
    while (redis_client_is_connected(acks->client) &&
           (answer = redis_client_next(acks->client, -1, 0, acks->error)) != NULL)
        redis_answer_free(&answer);
}

static bool fail_with(struct redis_publisher *publisher, const char *words)
{
    snprintf(publisher->trouble, sizeof publisher->trouble, "%s", words);
    return false;
}

static bool get_ready(struct redis_publisher *publisher, uint64_t until)
{
    struct redis_link *acks = &publisher->acks;
    set_limits(publisher, until);
    bool listens = redis_client_is_connected(acks->client) ||
                   (redis_link_connect(acks) && subscribe(publisher));
    if (!listens)
        redis_client_disconnect(acks->client);
    if (!listens)
        return fail_with(publisher, acks->error);
    return redis_link_connect(&publisher->link) || fail_with(publisher, publisher->link.error);
}

/* ---- nodes ---- */

static void see_nodes(struct redis_publisher *publisher, const struct redis_answer *nodes)
{
    struct redis_peers *peers = &publisher->peers;
    redis_look_at_nodes(peers, nodes);
    uint64_t now = clock_monotonic_ms();
    unsigned *living = reallocarray(publisher->living, peers->count + 1, sizeof *living);
    publisher->living_count = 0;
    if (living == NULL)
        return;
    publisher->living = living;
    for (size_t i = peers->count; i-- > 0;) {
        if (redis_peers_live(peers, &peers->list[i], now))
            living[publisher->living_count++] = peers->list[i].node;
        else if (!peers->list[i].is_there)
            redis_peers_remove(peers, &peers->list[i]);
    }
}

/* ---- publishing ---- */

static bool has_replicas(struct redis_publisher *publisher, uint64_t until)
{
    unsigned replicas = publisher->options.wait_replicas;
    if (replicas == 0)
        return true;
    char count[REDIS_NUMBER_SIZE], limit[REDIS_NUMBER_SIZE];
    uint64_t left = left_until(until) + 1;
    const struct redis_word words[] = {
        {"WAIT", 4}, redis_word_number(count, replicas), redis_word_number(limit, left)};
    redis_client_set_limits(publisher->link.client, publisher->options.redis->connect_ms,
                            left + publisher->options.redis->limit_ms);
    struct redis_answer *answer = redis_link_ask(&publisher->link, words, 3);
    bool enough = answer != NULL && redis_answer_number(answer) >= (int64_t)replicas;
    if (answer == NULL)
        (void)fail_with(publisher, publisher->link.error);
    else if (!enough)
        (void)fail_with(publisher, "fewer replicas than [redis] wait_replicas have the events");
    redis_answer_free(&answer);
    return enough;
}

static bool read_answer(struct redis_publisher *publisher, struct bus_event *events, size_t count,
                        uint64_t first_sequence, const struct redis_answer *answer)
{
    size_t length;
    if (!redis_answer_is(redis_answer_part(answer, 0), "OK"))
        return fail_with(publisher, "the daemons have not agreed on this Redis");
    const char *text = redis_answer_text(redis_answer_part(answer, 1), &length);
    if (text == NULL || !redis_call_read(events, count, first_sequence, text))
        return fail_with(publisher, "what Redis answers is not of this version");
    see_nodes(publisher, redis_answer_part(answer, 2));
    return true;
}

static bool try_call(struct redis_publisher *publisher, struct bus_event *events, size_t count,
                     uint64_t first_sequence, uint64_t until)
{
    if (!get_ready(publisher, until))
        return false;
    const struct redis_caller caller = {.options = &publisher->options,
                                        .run = publisher->link.run,
                                        .publisher = publisher->id,
                                        .batch = publisher->last_batch};
    struct redis_call *call = &publisher->call;
    if (!redis_call_write(call, &caller, events, count, first_sequence))
        return fail_with(publisher, "no memory for events");
    struct redis_answer *answer =
        redis_link_call(&publisher->link, BUS_REDIS_PUBLISH, call->words, call->count);
    bool taken = answer != NULL ? read_answer(publisher, events, count, first_sequence, answer)
                                : fail_with(publisher, publisher->link.error);
    redis_answer_free(&answer);
    return taken && has_replicas(publisher, until);
}

static void pause_until(uint64_t until)
{
    uint64_t ms = earlier(left_until(until), TRY_AGAIN_MS);
    const struct timespec pause = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Some events as one batch, under one number however often it is tried: who does not know whether they were taken asks
 * again, and is told what became of them. */
static bool call_until(struct redis_publisher *publisher, struct bus_event *events, size_t count,
                       uint64_t first_sequence, uint64_t until)
{
    char reason[REDIS_CLIENT_ERROR_SIZE] = "";
    publisher->last_batch++;
    while (!try_call(publisher, events, count, first_sequence, until)) {
        if (left_until(until) == 0) {
            /* The last try may have had too little time to find out why. */
            if (*reason != '\0')
                (void)fail_with(publisher, reason);
            return false;
        }
        memcpy(reason, publisher->trouble, sizeof reason);
        pause_until(until);
        for (size_t i = 0; i < count; i++)
            events[i].sent_again = true;
    }
    for (size_t i = 0; i < count; i++)
        events[i].acknowledged = true;
    return true;
}

static size_t count_together(const struct bus_event *events, size_t count)
{
    size_t together = 0;
    for (size_t bytes = 0; together < count && together < CALL_EVENTS && bytes < CALL_BYTES;
         together++)
        bytes += events[together].event_length + events[together].allowed_length;
    return together;
}

/* The first call finds out whether Redis answers; when it does, there is time for the others. */
static bool call_all(struct redis_publisher *publisher, const struct redis_publication *now,
                     uint64_t contact_until)
{
    for (size_t at = 0; at < now->count;) {
        size_t together = count_together(now->events + at, now->count - at);
        if (!call_until(publisher, now->events + at, together, now->first_sequence + at,
                        at == 0 ? contact_until : now->until))
            return false;
        at += together;
    }
    return true;
}

/* ---- receivers ---- */

/* Waits for one message of acknowledgements; false when the connection is lost. */
static bool take_acks(struct redis_publisher *publisher, struct redis_receivers *receivers,
                      uint64_t until)
{
    struct redis_link *acks = &publisher->acks;
    struct redis_answer *answer =
        redis_client_next(acks->client, -1, left_until(until), acks->error);
    size_t length;
    const char *text = redis_answer_text(redis_answer_part(answer, 2), &length);
    if (text != NULL)
        redis_receivers_take(receivers, text, length);
    bool lost = answer == NULL && acks->error[0] != '\0';
    redis_answer_free(&answer);
    return !lost;
}

/* Questions that not everybody has answered: a node that came back a moment ago may not have heard them. */
static void ask_again(struct redis_publisher *publisher, const struct redis_publication *now,
                      uint64_t until)
{
    for (size_t i = 0; i < now->count; i++) {
        struct bus_event again = now->events[i];
        if (again.kind == ENVELOPE_QUESTION)
            (void)call_until(publisher, &again, 1, now->first_sequence + i, until);
    }
}

static void wait_for_answers(struct redis_publisher *publisher, struct redis_receivers *receivers,
                             const struct redis_publication *now)
{
    uint64_t until = earlier(clock_monotonic_ms() + QUESTION_TIME_MS, now->until);
    bool listens = true;
    while (listens && receivers->missing_answers > 0 && left_until(until) > 0) {
        uint64_t again = earlier(clock_monotonic_ms() + ASK_AGAIN_MS, until);
        while (listens && receivers->missing_answers > 0 && left_until(again) > 0)
            listens = take_acks(publisher, receivers, again);
        if (receivers->missing_answers > 0 && left_until(until) > 0)
            ask_again(publisher, now, until);
    }
}

static void wait_for_receivers(struct redis_publisher *publisher,
                               const struct redis_publication *now)
{
    struct redis_receivers receivers;
    uint64_t until = clock_monotonic_ms() + publisher->options.receivers_ms;
    unsigned *nodes = reallocarray(NULL, publisher->living_count + 1, sizeof *nodes);
    if (nodes == NULL)
        return;
    memcpy(nodes, publisher->living, publisher->living_count * sizeof *nodes);
    if (redis_receivers_begin(&receivers, now->events, now->count, now->first_sequence, nodes,
                              publisher->living_count)) {
        bool listens = true;
        while (listens && receivers.missing > receivers.missing_answers && left_until(until) > 0)
            listens = take_acks(publisher, &receivers, until);
        wait_for_answers(publisher, &receivers, now);
        redis_receivers_end(&receivers);
    }
    free(nodes);
}

/* ---- what doubles are told ---- */

static void note_outcome_of(struct redis_publisher *publisher, const struct bus_event *event,
                            bool is_last)
{
    bool was_taken = event->ack.status == ACK_DELIVERED;
    char name[8 + 2 * ENVELOPE_POST_KEY_SIZE], receivers[REDIS_NUMBER_SIZE],
        time[REDIS_NUMBER_SIZE];
    struct bytes text = BYTES_EMPTY;
    strcpy(name, was_taken ? "had:" : "post:");
    hex_write(name + strlen(name), event->post_key, sizeof event->post_key);
    const struct redis_word words[] = {was_taken ? (struct redis_word){"SET", 3}
                                                 : (struct redis_word){"DEL", 3},
                                       redis_link_key(&text, &publisher->link, name),
                                       redis_word_number(receivers, event->ack.receivers),
                                       {"PX", 2},
                                       redis_word_number(time, publisher->options.remember_ms)};
    size_t count = was_taken ? 5 : 2;
    if (!text.failed && !is_last) {
        (void)redis_client_queue(publisher->link.client, words, count);
    } else if (!text.failed) {
        struct redis_answer *answer = redis_link_ask(&publisher->link, words, count);
        redis_answer_free(&answer);
    }
    bytes_free(&text);
}

static bool is_to_be_noted(const struct bus_event *event)
{
    if ((event->flags & ENVELOPE_HAS_POST_KEY) == 0)
        return false;
    return event->ack.status == ACK_TOPIC ||
           (event->ack.status == ACK_DELIVERED && event->ack.receivers > 0);
}

/* Who posts again is told how many had it the first time; of what no daemon took that is no double. */
static void note_receivers(struct redis_publisher *publisher, const struct redis_publication *now)
{
    const struct bus_event *before = NULL;
    for (size_t i = 0; i < now->count; i++) {
        const struct bus_event *event = &now->events[i];
        if (!is_to_be_noted(event))
            continue;
        if (before != NULL)
            note_outcome_of(publisher, before, false);
        before = event;
    }
    set_limits(publisher, now->until);
    if (before != NULL)
        note_outcome_of(publisher, before, true);
}

/* Redis knows no receivers of what was had for the first time in the same call. */
static void tell_doubles(const struct redis_publication *now)
{
    for (size_t i = 0; i < now->count; i++) {
        struct ack *ack = &now->events[i].ack;
        for (size_t j = 0; j < i && ack->status == ACK_DOUBLE && ack->receivers == 0; j++) {
            const struct bus_event *first = &now->events[j];
            if (first->ack.status == ACK_DELIVERED && first->epoch == now->events[i].epoch &&
                first->ack.event_sequence == ack->event_sequence)
                ack->receivers = first->ack.receivers;
        }
    }
}

/* ---- the calls of bus.h ---- */

static void note(struct redis_publisher *publisher, bool answered, unsigned down_limit_ms)
{
    publisher->down = !answered;
    publisher->asks_again_at = clock_monotonic_ms() + down_limit_ms;
    if (answered)
        publisher->trouble[0] = '\0';
}

static bool call_redis(struct redis_publisher *publisher, struct redis_publication *now,
                       unsigned limit_ms, unsigned down_limit_ms)
{
    uint64_t start = clock_monotonic_ms();
    for (size_t i = 0; i < now->count; i++)
        now->events[i].acknowledged = now->events[i].sent_again = now->events[i].complete = false;
    if (publisher->down && start < publisher->asks_again_at)
        return false;
    now->first_sequence = publisher->last_sequence + 1;
    now->until = start + limit_ms;
    publisher->last_sequence += now->count;
    empty_acks(publisher);
    uint64_t contact_ms = publisher->down ? earlier(down_limit_ms, limit_ms) : limit_ms;
    bool answered = call_all(publisher, now, start + contact_ms);
    note(publisher, answered, down_limit_ms);
    return answered;
}

static bool publish(struct bus_publisher *base, struct bus_event *events, size_t count,
                    unsigned limit_ms, unsigned down_limit_ms)
{
    struct redis_publisher *publisher = (struct redis_publisher *)base;
    struct redis_publication now = {.events = events, .count = count};
    if (!call_redis(publisher, &now, limit_ms, down_limit_ms))
        return false;
    wait_for_receivers(publisher, &now);
    tell_doubles(&now);
    note_receivers(publisher, &now);
    return true;
}

static void tell(struct bus_publisher *base, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms)
{
    struct redis_publication now = {.events = events, .count = count};
    (void)call_redis((struct redis_publisher *)base, &now, limit_ms, down_limit_ms);
}

static const char *trouble_of(const struct bus_publisher *base)
{
    return ((const struct redis_publisher *)base)->trouble;
}

const struct bus_publisher_calls bus_redis_publisher = {.open = open_publisher,
                                                        .close = close_publisher,
                                                        .publish = publish,
                                                        .tell = tell,
                                                        .trouble = trouble_of};
