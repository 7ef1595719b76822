#include "events/rate_limits.h"

#include <stddef.h>
#include <stdlib.h>

/* Levels are counted in thousandths of an event: a rate in events a second is as many thousandths a
 * millisecond, and nothing is rounded. */
enum { EVENT = 1000 };

struct rate_bucket {
    struct hash_node by_token;
    struct rate_bucket *older, *newer;
    uint64_t token;
    uint64_t level;
    uint64_t filled_at_ms;
};

static struct rate_bucket *bucket_of(struct hash_node *node)
{
    return (struct rate_bucket *)(void *)((char *)node - offsetof(struct rate_bucket, by_token));
}

static void unlink_bucket(struct rate_limits *limits, struct rate_bucket *bucket)
{
    *(bucket->older != NULL ? &bucket->older->newer : &limits->oldest) = bucket->newer;
    *(bucket->newer != NULL ? &bucket->newer->older : &limits->newest) = bucket->older;
}

static void link_newest(struct rate_limits *limits, struct rate_bucket *bucket)
{
    bucket->older = limits->newest;
    bucket->newer = NULL;
    *(limits->newest != NULL ? &limits->newest->newer : &limits->oldest) = bucket;
    limits->newest = bucket;
}

static void forget(struct rate_limits *limits, struct rate_bucket *bucket)
{
    unlink_bucket(limits, bucket);
    hash_table_remove(&limits->by_token, &bucket->by_token);
    free(bucket);
}

static struct rate_bucket *find(const struct rate_limits *limits, uint64_t token, uint64_t hash)
{
    struct hash_node *node = hash_table_find(&limits->by_token, hash);

    while (node != NULL && bucket_of(node)->token != token)
        node = hash_table_find_next(node);
    return node != NULL ? bucket_of(node) : NULL;
}

static struct rate_bucket *add(struct rate_limits *limits, uint64_t token, uint64_t hash,
                               uint64_t level, uint64_t now_ms)
{
    if (limits->by_token.count >= RATE_LIMITS_MOST_TOKENS)
        forget(limits, limits->oldest);
    struct rate_bucket *bucket;
    bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL)
        return NULL;
    bucket->token = token;
    bucket->level = level;
    bucket->filled_at_ms = now_ms;
    if (!hash_table_add(&limits->by_token, &bucket->by_token, hash)) {
        free(bucket);
        return NULL;
    }
    link_newest(limits, bucket);
    return bucket;
}

static void fill(struct rate_bucket *bucket, uint64_t rate, uint64_t capacity, uint64_t now_ms)
{
    uint64_t elapsed = now_ms - bucket->filled_at_ms;

    if (elapsed > capacity / rate || bucket->level + elapsed * rate > capacity)
        bucket->level = capacity;
    else
        bucket->level += elapsed * rate;
    bucket->filled_at_ms = now_ms;
}

uint64_t rate_limits_take(struct rate_limits *limits, uint64_t token, uint64_t rate, uint64_t burst,
                          uint64_t now_ms)
{
    uint64_t capacity = (burst ? burst : rate) * EVENT;
    uint64_t hash = hash_bytes(limits->seed, &token, sizeof token);
    struct rate_bucket *bucket = find(limits, token, hash);

    if (bucket != NULL) {
        unlink_bucket(limits, bucket);
        link_newest(limits, bucket);
    } else {
        bucket = add(limits, token, hash, capacity, now_ms);
    }
    if (bucket == NULL)
        return 0;
    fill(bucket, rate, capacity, now_ms);
    if (bucket->level < EVENT)
        return (EVENT - bucket->level + rate - 1) / rate;
    bucket->level -= EVENT;
    return 0;
}

void rate_limits_free(struct rate_limits *limits)
{
    while (limits->oldest != NULL)
        forget(limits, limits->oldest);
    hash_table_free(&limits->by_token);
}
