/* How many events each entry token may publish: a token bucket for each. Knows no clock: the caller
 * says what time it is. */
#ifndef ESN_RATE_LIMITS_H
#define ESN_RATE_LIMITS_H

#include "hash_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Those that were used longest ago are forgotten, and begin anew with a full bucket: so many tokens
 * have no files, but whoever is let onto the bus can make up any number of ids. */
enum { RATE_LIMITS_MOST_TOKENS = 4096 };

struct rate_bucket;

struct rate_limits {
    struct hash_table by_token;
    TAILQ_HEAD(, rate_bucket) by_use; /* the one that was not used for longest first */
    uint64_t seed;
};

/* Of a zeroed one. seed: random, see hash_bytes(). */
void rate_limits_open(struct rate_limits *limits, uint64_t seed);
/* Takes one event of the token: 0 when it may be published, else how many milliseconds until one
 * may. rate: events a second, at least 1; burst: most at once, 0: one second's. Both may change at
 * any time. Without memory for a new token the event may be published. */
uint64_t rate_limits_take(struct rate_limits *limits, uint64_t token, uint64_t rate, uint64_t burst,
                          uint64_t now_ms);
void rate_limits_free(struct rate_limits *limits);
/* Memory that it takes. */
uint64_t rate_limits_bytes(const struct rate_limits *limits);
struct saved_reader;
struct saved_writer;

void rate_limits_save(const struct rate_limits *limits, struct saved_writer *writer);
/* Into empty ones; false when it is not as it should be, or without memory. */
bool rate_limits_load(struct rate_limits *limits, struct saved_reader *reader);

#endif
