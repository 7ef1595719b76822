#include "events/replay_cohort.h"

#include "heap.h"
#include "streams/stream.h"

#include <stdlib.h>

enum {
    SLICES_MOST = 256,  /* looked through one by one */
    SLICE_AGE_MS = 5000 /* docs/protocol.md section 2 */
};

/* ---- who wants the same ---- */

static struct replay_cohort *cohort_of_node(struct hash_node *by_topics)
{
    return (struct replay_cohort *)(void *)((char *)by_topics -
                                            offsetof(struct replay_cohort, by_topics));
}

static uint64_t hash_topics(const struct replay_cohorts *cohorts, const struct stream *stream)
{
    uint64_t hash = cohorts->seed + stream->encoding;

    for (uint32_t slot = 0; slot < stream->subscriber.count; slot++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[slot];
        const uint64_t words[] = {(uintptr_t)subscription->node, subscription->kind};
        hash = hash_bytes(hash, words, sizeof words);
    }
    return hash;
}

/* By their nodes, which are the topics' as long as anybody has them. */
static bool want_the_same(const struct stream *a, const struct stream *b)
{
    if (a->encoding != b->encoding || a->subscriber.count != b->subscriber.count)
        return false;
    for (uint32_t slot = 0; slot < a->subscriber.count; slot++) {
        const struct subscription *one = &a->subscriber.subscriptions[slot],
                                  *other = &b->subscriber.subscriptions[slot];
        if (one->node != other->node || one->kind != other->kind)
            return false;
    }
    return true;
}

static struct replay_cohort *find_cohort(const struct replay_cohorts *cohorts,
                                         const struct stream *stream, uint64_t hash)
{
    struct hash_node *found = hash_table_find(&cohorts->by_topics, hash);

    for (; found != NULL; found = hash_table_find_next(found)) {
        struct replay_cohort *cohort = cohort_of_node(found);
        if (want_the_same(LIST_FIRST(&cohort->members)->stream, stream))
            return cohort;
    }
    return NULL;
}

static struct replay_cohort *add_cohort(struct replay_cohorts *cohorts, uint64_t hash)
{
    struct replay_cohort *cohort = calloc(1, sizeof *cohort);

    if (cohort == NULL || !hash_table_add(&cohorts->by_topics, &cohort->by_topics, hash)) {
        free(cohort);
        return NULL;
    }
    LIST_INIT(&cohort->members);
    TAILQ_INIT(&cohort->slices);
    return cohort;
}

bool replay_cohorts_join(struct replay_cohorts *cohorts, struct replay_member *member,
                         const struct stream *stream)
{
    uint64_t hash = hash_topics(cohorts, stream);
    struct replay_cohort *cohort = find_cohort(cohorts, stream, hash);

    if (cohort == NULL)
        cohort = add_cohort(cohorts, hash);
    if (cohort == NULL)
        return false;
    member->cohort = cohort;
    member->stream = stream;
    LIST_INSERT_HEAD(&cohort->members, member, by_cohort);
    return true;
}

/* ---- slices ---- */

static void forget_slice(struct replay_cohorts *cohorts, struct replay_slice *slice)
{
    TAILQ_REMOVE(&slice->cohort->slices, slice, by_cohort);
    TAILQ_REMOVE(&cohorts->slices, slice, by_age);
    cohorts->slice_count--;
    cohorts->bytes -= slice->frames.length;
    output_clear(&slice->frames);
    free(slice);
}

static void forget_filter(struct replay_cohorts *cohorts, struct replay_cohort *cohort)
{
    if (cohort->filter != NULL)
        cohorts->filter_bytes -= replay_filter_bytes(cohort->filter);
    replay_filter_free(&cohort->filter);
}

bool replay_cohorts_make_filter(struct replay_cohorts *cohorts, const struct replay_member *member,
                                size_t most_work, struct replay_hits *scratch)
{
    struct replay_cohort *cohort = member->cohort;
    const struct subscriber *subscriber = &member->stream->subscriber;

    if (cohort->filter == NULL) {
        cohort->filter = replay_filter_new(subscriber, cohorts->seed);
        if (cohort->filter == NULL)
            return false;
        cohorts->filter_bytes += replay_filter_bytes(cohort->filter);
    }
    cohorts->filter_bytes -= replay_filter_bytes(cohort->filter);
    bool grown = replay_filter_grow(cohort->filter, subscriber, most_work, scratch);
    cohorts->filter_bytes += replay_filter_bytes(cohort->filter);
    if (!grown)
        forget_filter(cohorts, cohort);
    return grown;
}

void replay_cohorts_leave(struct replay_cohorts *cohorts, struct replay_member *member)
{
    struct replay_cohort *cohort = member->cohort;
    struct replay_slice *slice;

    if (cohort == NULL)
        return;
    LIST_REMOVE(member, by_cohort);
    member->cohort = NULL;
    if (!LIST_EMPTY(&cohort->members))
        return;
    while ((slice = TAILQ_FIRST(&cohort->slices)) != NULL)
        forget_slice(cohorts, slice);
    forget_filter(cohorts, cohort);
    hash_table_remove(&cohorts->by_topics, &cohort->by_topics);
    free(cohort);
}

static uint64_t stranger_bit(uint64_t connid, size_t *word)
{
    uint64_t hash = connid * 0x9e3779b97f4a7c15ULL >> 32;

    *word = hash / 64 % REPLAY_SLICE_STRANGERS;
    return UINT64_C(1) << hash % 64;
}

void replay_slice_note_stranger(struct replay_slice *slice, uint64_t connid)
{
    size_t word;
    uint64_t bit = stranger_bit(connid, &word);

    slice->strangers[word] |= bit;
}

static bool suits(const struct replay_slice *slice, const struct stream *stream, uint64_t iat,
                  uint64_t window)
{
    size_t word;
    uint64_t bit = stranger_bit(stream->connid, &word);

    return slice->window <= window && (slice->events == 0 || slice->first_iat >= iat) &&
           (slice->strangers[word] & bit) == 0;
}

const struct replay_slice *replay_cohort_find(const struct replay_member *member, uint64_t after,
                                              uint64_t iat, uint64_t window, uint64_t *stop_at)
{
    const struct replay_slice *slice;

    *stop_at = UINT64_MAX;
    TAILQ_FOREACH(slice, &member->cohort->slices, by_cohort)
    {
        if (!suits(slice, member->stream, iat, window))
            continue;
        if (slice->from <= after && after < slice->first)
            return slice;
        if (slice->from > after && slice->from < *stop_at)
            *stop_at = slice->from;
    }
    return NULL;
}

static bool is_worth_keeping(const struct replay_member *member, const struct replay_slice *slice)
{
    const struct replay_member *first = LIST_FIRST(&member->cohort->members);

    return LIST_NEXT(first, by_cohort) != NULL && !slice->is_private && slice->to > slice->from;
}

void replay_cohorts_keep(struct replay_cohorts *cohorts, const struct replay_member *member,
                         struct replay_slice *slice)
{
    struct replay_slice *kept = is_worth_keeping(member, slice) ? malloc(sizeof *kept) : NULL;

    if (kept == NULL) {
        output_clear(&slice->frames);
        return;
    }
    *kept = *slice;
    slice->frames = (struct output){0};
    kept->cohort = member->cohort;
    TAILQ_INSERT_HEAD(&kept->cohort->slices, kept, by_cohort);
    TAILQ_INSERT_TAIL(&cohorts->slices, kept, by_age);
    cohorts->slice_count++;
    cohorts->bytes += kept->frames.length;
}

void replay_cohorts_trim(struct replay_cohorts *cohorts, uint64_t most_bytes, uint64_t now_ms)
{
    struct replay_slice *oldest;

    while ((oldest = TAILQ_FIRST(&cohorts->slices)) != NULL &&
           (cohorts->bytes > most_bytes || cohorts->slice_count > SLICES_MOST ||
            now_ms - oldest->made_at > cohorts->max_age_ms))
        forget_slice(cohorts, oldest);
}

void replay_cohorts_open(struct replay_cohorts *cohorts, uint64_t seed)
{
    *cohorts = (struct replay_cohorts){.seed = seed, .max_age_ms = SLICE_AGE_MS};
    TAILQ_INIT(&cohorts->slices);
}

void replay_cohorts_close(struct replay_cohorts *cohorts)
{
    hash_table_free(&cohorts->by_topics);
}

uint64_t replay_cohorts_bytes(const struct replay_cohorts *cohorts)
{
    return hash_table_bytes_with(&cohorts->by_topics, sizeof(struct replay_cohort)) +
           cohorts->slice_count * heap_taken(sizeof(struct replay_slice));
}
