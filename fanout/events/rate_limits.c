#include "events/rate_limits.h"

#include "saved_state.h"

#include <stddef.h>
#include <stdlib.h>

/* Levels are counted in thousandths of an event: a rate in events a second is as many thousandths a
 * millisecond, and nothing is rounded. */
enum { EVENT = 1000 };

struct rate_bucket {
    struct hash_node by_token;
    TAILQ_ENTRY(rate_bucket) by_use;
    uint64_t token;
    uint64_t level;
    uint64_t filled_at_ms;
};

static struct rate_bucket *bucket_of(struct hash_node *node)
{
    return (struct rate_bucket *)(void *)((char *)node - offsetof(struct rate_bucket, by_token));
}

static void forget_bucket(struct rate_limits *limits, struct rate_bucket *bucket)
{
    TAILQ_REMOVE(&limits->by_use, bucket, by_use);
    hash_table_remove(&limits->by_token, &bucket->by_token);
    free(bucket);
}

static struct rate_bucket *find_bucket(const struct rate_limits *limits, uint64_t token,
                                       uint64_t hash)
{
    struct hash_node *node = hash_table_find(&limits->by_token, hash);

    while (node != NULL && bucket_of(node)->token != token)
        node = hash_table_find_next(node);
    return node != NULL ? bucket_of(node) : NULL;
}

static struct rate_bucket *add_bucket(struct rate_limits *limits, uint64_t token, uint64_t hash,
                                      uint64_t level, uint64_t now_ms)
{
    if (limits->by_token.count >= RATE_LIMITS_MOST_TOKENS)
        forget_bucket(limits, TAILQ_FIRST(&limits->by_use));
    struct rate_bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL)
        return NULL;
    bucket->token = token;
    bucket->level = level;
    bucket->filled_at_ms = now_ms;
    if (!hash_table_add(&limits->by_token, &bucket->by_token, hash)) {
        free(bucket);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&limits->by_use, bucket, by_use);
    return bucket;
}

static void fill_bucket(struct rate_bucket *bucket, uint64_t rate, uint64_t capacity,
                        uint64_t now_ms)
{
    uint64_t elapsed = now_ms - bucket->filled_at_ms;

    if (elapsed > capacity / rate || bucket->level + elapsed * rate > capacity)
        bucket->level = capacity;
    else
        bucket->level += elapsed * rate;
    bucket->filled_at_ms = now_ms;
}

void rate_limits_open(struct rate_limits *limits, uint64_t seed)
{
    TAILQ_INIT(&limits->by_use);
    limits->seed = seed;
}

uint64_t rate_limits_take(struct rate_limits *limits, uint64_t token, uint64_t rate, uint64_t burst,
                          uint64_t now_ms)
{
    uint64_t capacity = (burst ? burst : rate) * EVENT;
    uint64_t hash = hash_bytes(limits->seed, &token, sizeof token);
    struct rate_bucket *bucket = find_bucket(limits, token, hash);

    if (bucket != NULL) {
        TAILQ_REMOVE(&limits->by_use, bucket, by_use);
        TAILQ_INSERT_TAIL(&limits->by_use, bucket, by_use);
    } else {
        bucket = add_bucket(limits, token, hash, capacity, now_ms);
    }
    if (bucket == NULL)
        return 0;
    fill_bucket(bucket, rate, capacity, now_ms);
    if (bucket->level < EVENT)
        return (EVENT - bucket->level + rate - 1) / rate;
    bucket->level -= EVENT;
    return 0;
}

void rate_limits_free(struct rate_limits *limits)
{
    while (!TAILQ_EMPTY(&limits->by_use))
        forget_bucket(limits, TAILQ_FIRST(&limits->by_use));
    hash_table_free(&limits->by_token);
}

uint64_t rate_limits_bytes(const struct rate_limits *limits)
{
    return hash_table_bytes_with(&limits->by_token, sizeof(struct rate_bucket));
}

void rate_limits_save(const struct rate_limits *limits, struct saved_writer *writer)
{
    const struct rate_bucket *bucket;

    saved_put(writer, limits->by_token.count);
    TAILQ_FOREACH(bucket, &limits->by_use, by_use)
    {
        saved_put(writer, bucket->token);
        saved_put(writer, bucket->level);
        saved_put(writer, bucket->filled_at_ms);
    }
}

bool rate_limits_load(struct rate_limits *limits, struct saved_reader *reader)
{
    for (size_t left = saved_take_count(reader, 3 * sizeof(uint64_t)); left > 0; left--) {
        uint64_t token = saved_take(reader), level = saved_take(reader);
        uint64_t filled_at_ms = saved_take(reader);
        uint64_t hash = hash_bytes(limits->seed, &token, sizeof token);
        if (reader->failed || find_bucket(limits, token, hash) != NULL ||
            add_bucket(limits, token, hash, level, filled_at_ms) == NULL)
            return false;
    }
    return !reader->failed;
}
