/* Which of one connection's subscriptions does an event of the log match? For a walk through the
 * log: a topic index of this connection alone, so that the cost is that of its own topics. */
#ifndef ESN_REPLAY_FILTER_H
#define ESN_REPLAY_FILTER_H

#include "bytes.h"
#include "log/event_log.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_filter;

/* A growing list that is used again for every event. */
struct replay_hits {
    uint32_t *slots; /* of the subscriber's subscriptions */
    size_t count, capacity;
    struct topic_matches matches; /* scratch */
    struct bytes name;            /* likewise */
    size_t work;                  /* topics and nodes looked at */
};

/* Of none of its subscriptions as yet, which must stay as they are. seed: random, see
 * hash_bytes(). NULL without memory. */
struct replay_filter *replay_filter_new(const struct subscriber *subscriber, uint64_t seed);
/* Adds some of them, about as many as so much work is, which scratch->work says; false without
 * memory. It is of use when it is whole. */
bool replay_filter_grow(struct replay_filter *filter, const struct subscriber *subscriber,
                        size_t most_work, struct replay_hits *scratch);
bool replay_filter_is_whole(const struct replay_filter *filter);
/* Harmless on NULL; clears it. */
void replay_filter_free(struct replay_filter **filter);
uint64_t replay_filter_bytes(const struct replay_filter *filter);
/* Finds the subscriptions that match by topic: whether the event is for them is another question.
 * False without memory. */
bool replay_filter_match(const struct replay_filter *filter, const struct logged_event *event,
                         struct replay_hits *hits);
/* The same without a filter, by comparing with each topic. */
bool replay_filter_compare(const struct subscriber *subscriber, const struct logged_event *event,
                           struct replay_hits *hits);
void replay_hits_free(struct replay_hits *hits);

#endif
