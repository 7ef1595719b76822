#include "bus/bus_redis_keeper.h"

#include "bus/bus_redis_agreement.h"
#include "bus/bus_redis_look.h"
#include "bus/bus_redis_talk.h"
#include "clock.h"
#include "hex.h"
#include "messages.h"
#include "secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* docs/bus.md gives the reasons for these numbers. */
enum {
    CUT_RENEWALS = 8, /* so many have failed: it counts itself as gone before the others do */
    TRY_AGAIN_MS = 20,
    SAY_AGAIN_MS = 10000,
    CONNID_SHIFT = 4, /* so many ids a millisecond: 16,000 new streams a second, on average */
    CONNID_BITS = 53 - BUS_NODE_BITS
};

/* 2026-01-01 UTC: ids last for 17 years from here, and then begin again. */
static const uint64_t connids_since_ms = 1767225600000;

/* ---- its number ---- */

static void note_joined(struct redis_keeper *keeper, const struct redis_answer *answer)
{
    struct redis_node *node = keeper->node;
    size_t length;
    const char *number = redis_answer_text(redis_answer_part(answer, 1), &length);
    const char *key = redis_answer_text(redis_answer_part(answer, 2), &length);
    bool has_key = key != NULL && length == sizeof keeper->key;
    const char *now = redis_answer_text(redis_answer_part(answer, 3), &length);
    uint64_t first = ((now != NULL ? strtoull(now, NULL, 10) : 0) - connids_since_ms)
                     << CONNID_SHIFT;
    keeper->number = number != NULL ? (unsigned)strtoul(number, NULL, 10) : 0;
    if (has_key)
        memcpy(keeper->key, key, sizeof keeper->key);
    (void)pthread_mutex_lock(&node->lock);
    node->facts.numbers_events = true;
    node->facts.node = keeper->number;
    node->facts.boot = node->boot;
    node->facts.first_connid =
        (first & ((1ULL << CONNID_BITS) - 1)) << BUS_NODE_BITS | keeper->number;
    memcpy(node->facts.stream_key, keeper->key, sizeof keeper->key);
    (void)pthread_mutex_unlock(&node->lock);
    keeper->has_joined = true;
}

static void write_record(struct redis_keeper *keeper, struct bytes *out)
{
    struct redis_node *node = keeper->node;
    struct redis_record record = {
        .boot = node->boot, .counter = ++keeper->counter, .renewed_ms = clock_wall_ms()};
    (void)pthread_mutex_lock(&node->lock);
    record.notes = node->last_note;
    record.streams = node->streams;
    record.url = node->url;
    redis_record_write(out, &record);
    (void)pthread_mutex_unlock(&node->lock);
    (void)bytes_terminate(out);
}

static void remove_dead(struct redis_keeper *keeper, const struct redis_peer *peer)
{
    char number[REDIS_NUMBER_SIZE], beginning[64];
    (void)snprintf(beginning, sizeof beginning, "%016" PRIx64 " %" PRIu64 " ", peer->record.boot,
                   peer->record.counter);
    const struct redis_word words[] = {redis_word_number(number, peer->node),
                                       redis_word_of(beginning), redis_word_of("dead")};
    struct redis_answer *answer = redis_link_call(&keeper->link, BUS_REDIS_REMOVE, words, 3);
    redis_answer_free(&answer);
}

/* All numbers are taken: those of the dead become free when they have been looked at for a lease. */
static void look_for_free(struct redis_keeper *keeper, const struct redis_answer *nodes)
{
    redis_look_at_nodes(&keeper->peers, nodes);
    for (size_t i = 0; i < keeper->peers.count; i++)
        if (!redis_peers_live(&keeper->peers, &keeper->peers.list[i], clock_monotonic_ms()))
            remove_dead(keeper, &keeper->peers.list[i]);
    redis_node_note_trouble(keeper->node, "all numbers of nodes are taken");
    redis_node_pause(keeper->node, keeper->interval_ms);
}

static bool join(struct redis_keeper *keeper)
{
    struct bytes record = BYTES_EMPTY;
    uint64_t sent_at = clock_monotonic_ms();
    write_record(keeper, &record);
    const struct redis_word words[] = {redis_word_of(keeper->link.run),
                                       redis_word_of(keeper->boot),
                                       {(const char *)keeper->key, sizeof keeper->key},
                                       {record.data, record.length}};
    struct redis_answer *answer =
        record.failed ? NULL : redis_link_call(&keeper->link, BUS_REDIS_JOIN, words, 4);
    bool good = answer != NULL;
    if (redis_answer_is(redis_answer_part(answer, 0), "OK")) {
        note_joined(keeper, answer);
        keeper->renewed_at = sent_at;
        keeper->renew_at = sent_at + keeper->interval_ms;
    } else if (good) {
        look_for_free(keeper, redis_answer_part(answer, 1));
    }
    redis_answer_free(&answer);
    bytes_free(&record);
    return good;
}

/* ---- its lease ---- */

/* Somebody else has the number now: it was gone for longer than a lease. */
static void lose_number(struct redis_keeper *keeper)
{
    message_error("another daemon has this one's number now",
                  message_number("node", keeper->number));
    keeper->has_joined = false;
    if (!keeper->is_cut)
        redis_node_tell(keeper->node, (struct bus_news){.kind = BUS_NEWS_CUT});
    keeper->is_cut = true;
}

static bool renew(struct redis_keeper *keeper)
{
    char number[REDIS_NUMBER_SIZE], most[REDIS_NUMBER_SIZE];
    struct bytes record = BYTES_EMPTY;
    uint64_t sent_at = clock_monotonic_ms();
    write_record(keeper, &record);
    const struct redis_word words[] = {redis_word_number(number, keeper->number),
                                       redis_word_of(keeper->boot),
                                       {record.data, record.length},
                                       redis_word_number(most, keeper->node->options.max_events)};
    struct redis_answer *answer =
        record.failed ? NULL : redis_link_call(&keeper->link, BUS_REDIS_RENEW, words, 4);
    bool good = answer != NULL;
    keeper->renew_at = sent_at + keeper->interval_ms;
    if (redis_answer_is(redis_answer_part(answer, 0), "OK")) {
        keeper->renewed_at = sent_at;
        redis_look_at_nodes(&keeper->peers, redis_answer_part(answer, 1));
        if (keeper->is_agreed)
            redis_talk_tell_changes(keeper, remove_dead);
    } else if (good) {
        lose_number(keeper);
    }
    redis_answer_free(&answer);
    bytes_free(&record);
    return good;
}

/* Then nobody can renew or publish anything, and nobody counts another as gone: streams stay, and hear the rest when it
 * is back. MISCONF: it cannot write its snapshots (stop-writes-on-bgsave-error). */
static bool is_redis_away(const struct redis_keeper *keeper)
{
    const char *error = keeper->link.error;
    return redis_client_was_refused(keeper->link.client) || strstr(error, "LOADING") != NULL ||
           strstr(error, "MISCONF") != NULL;
}

static void tell_cut(struct redis_keeper *keeper)
{
    uint64_t most_ms = keeper->interval_ms * CUT_RENEWALS;
    if (!keeper->has_joined || keeper->is_cut || is_redis_away(keeper) ||
        clock_monotonic_ms() - keeper->renewed_at < most_ms)
        return;
    keeper->is_cut = true;
    message_warning("this daemon is cut off from Redis",
                    message_text("reason", keeper->link.error));
    redis_node_tell(keeper->node, (struct bus_news){.kind = BUS_NEWS_CUT});
}

static void tell_back(struct redis_keeper *keeper)
{
    struct redis_node *node = keeper->node;
    uint64_t most_ms = keeper->interval_ms * CUT_RENEWALS;
    if (!keeper->is_cut || !keeper->is_agreed ||
        clock_monotonic_ms() - keeper->renewed_at >= most_ms)
        return;
    (void)pthread_mutex_lock(&node->lock);
    bool has_read = !redis_place_is_before(node->given, keeper->caught_up);
    (void)pthread_mutex_unlock(&node->lock);
    if (!has_read)
        return;
    keeper->is_cut = false;
    message_warning("this daemon is back at Redis", message_number("node", keeper->number));
    redis_node_tell(node, (struct bus_news){.kind = BUS_NEWS_BACK, .node = keeper->number});
}

/* ---- the server ---- */

static void set_agreed(struct redis_keeper *keeper, bool agreed)
{
    struct redis_node *node = keeper->node;
    keeper->is_agreed = agreed;
    (void)pthread_mutex_lock(&node->lock);
    node->is_agreed = agreed;
    (void)snprintf(node->run, sizeof node->run, "%s", keeper->link.run);
    (void)pthread_cond_broadcast(&node->changed);
    (void)pthread_mutex_unlock(&node->lock);
}

/* Once of each server: https://redis.io/docs/latest/develop/reference/eviction/ */
static void warn_of_eviction(struct redis_keeper *keeper)
{
    char policy[REDIS_POLICY_SIZE];
    if (strcmp(keeper->looked_at_run, keeper->link.run) == 0)
        return;
    memcpy(keeper->looked_at_run, keeper->link.run, sizeof keeper->looked_at_run);
    if (redis_link_evicts(&keeper->link, policy))
        message_warning("Redis, which carries events, may evict some of them when it is full: give "
                        "it maxmemory-policy noeviction",
                        message_text("maxmemory_policy", policy));
}

static bool connect_keeper(struct redis_keeper *keeper)
{
    if (!redis_client_is_connected(keeper->link.client)) {
        if (!redis_link_connect(&keeper->link))
            return false;
        warn_of_eviction(keeper);
        set_agreed(keeper, false);
    }
    return redis_talk_listen(keeper);
}

static bool agree(struct redis_keeper *keeper)
{
    enum redis_agreement found = redis_agreement_seek(keeper);
    if (found == REDIS_AGREED)
        set_agreed(keeper, true);
    if (found == REDIS_AGREED)
        redis_talk_tell_changes(keeper, remove_dead);
    if (found == REDIS_NOT_YET)
        redis_node_note_trouble(keeper->node,
                                "the daemons have not agreed on this Redis yet: one that was cut "
                                "off is waited for as long as its lease lasts");
    return found != REDIS_FAILED;
}

/* ---- the thread ---- */

static bool work(struct redis_keeper *keeper)
{
    if (!connect_keeper(keeper))
        return false;
    if (!keeper->has_joined)
        return join(keeper);
    if (!keeper->is_agreed && !agree(keeper))
        return false;
    uint64_t now = clock_monotonic_ms();
    if (now >= keeper->renew_at && !renew(keeper))
        return false;
    tell_back(keeper);
    if (!redis_talk_send(keeper))
        return false;
    uint64_t wait_ms = keeper->renew_at > now ? keeper->renew_at - now : 0;
    bool hurries = !keeper->is_agreed || keeper->is_cut;
    return redis_talk_hear(keeper, hurries && wait_ms > TRY_AGAIN_MS ? TRY_AGAIN_MS : wait_ms);
}

static void say_trouble(struct redis_keeper *keeper)
{
    const char *reason = keeper->link.error[0] != '\0' ? keeper->link.error : keeper->notes.error;
    uint64_t now = clock_monotonic_ms();
    redis_node_note_trouble(keeper->node, reason);
    if (keeper->said_at != 0 && now - keeper->said_at < SAY_AGAIN_MS)
        return;
    keeper->said_at = now;
    message_warning("Redis, which carries events, does not answer", message_text("reason", reason));
}

static void take_leave(struct redis_keeper *keeper)
{
    struct redis_node *node = keeper->node;
    (void)pthread_mutex_lock(&node->lock);
    bool leaves = node->leaves;
    (void)pthread_mutex_unlock(&node->lock);
    if (!keeper->has_joined || !redis_client_is_connected(keeper->link.client) ||
        !redis_talk_send(keeper) || !leaves)
        return;
    char number[REDIS_NUMBER_SIZE];
    const struct redis_word words[] = {redis_word_number(number, keeper->number),
                                       redis_word_of(keeper->boot), redis_word_of("left")};
    struct redis_answer *answer = redis_link_call(&keeper->link, BUS_REDIS_REMOVE, words, 3);
    redis_answer_free(&answer);
}

static void free_keeper(struct redis_keeper *keeper)
{
    redis_link_close(&keeper->link);
    redis_link_close(&keeper->notes);
    redis_peers_free(&keeper->peers);
    free(keeper);
}

static void *run_keeper(void *context)
{
    struct redis_keeper *keeper = context;
    while (!redis_node_is_stopping(keeper->node)) {
        keeper->link.error[0] = keeper->notes.error[0] = '\0';
        bool good = work(keeper);
        tell_cut(keeper);
        if (good) {
            keeper->said_at = keeper->has_joined && keeper->is_agreed ? 0 : keeper->said_at;
            continue;
        }
        say_trouble(keeper);
        redis_client_disconnect(keeper->link.client);
        redis_client_disconnect(keeper->notes.client);
        set_agreed(keeper, false);
        redis_node_pause(keeper->node, TRY_AGAIN_MS);
    }
    take_leave(keeper);
    free_keeper(keeper);
    return NULL;
}

static bool prepare(struct redis_keeper *keeper, struct redis_node *node)
{
    size_t max_answer = node->max_message_bytes * 2 + (1 << 20);
    const struct redis_options *redis = node->options.redis;
    keeper->node = node;
    keeper->peers.lease_ms = node->options.lease_ms;
    keeper->interval_ms = node->options.lease_ms / REDIS_RENEWALS;
    (void)snprintf(keeper->boot, sizeof keeper->boot, "%016" PRIx64, node->boot);
    if (!redis_link_open(&keeper->link, &node->options, max_answer) ||
        !redis_link_open(&keeper->notes, &node->options, max_answer) ||
        !secret_random(keeper->key, sizeof keeper->key))
        return false;
    /* Nobody waits here for longer than a renewal may be late. */
    uint64_t most_ms = keeper->interval_ms;
    uint64_t connect_ms = redis->connect_ms < most_ms ? redis->connect_ms : most_ms;
    uint64_t limit_ms = redis->limit_ms < most_ms ? redis->limit_ms : most_ms;
    redis_client_set_limits(keeper->link.client, connect_ms, limit_ms);
    redis_client_set_limits(keeper->notes.client, connect_ms, limit_ms);
    return true;
}

bool redis_keeper_start(struct redis_node *node, pthread_t *thread)
{
    struct redis_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL)
        return false;
    if (prepare(keeper, node)) {
        errno = pthread_create(thread, NULL, run_keeper, keeper);
        if (errno == 0)
            return true;
    }
    free_keeper(keeper);
    return false;
}
