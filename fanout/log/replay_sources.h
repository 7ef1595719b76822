/* Where a connection that catches up finds its events: the logged topics that match what it asked
 * for, by their next events. */
#ifndef ESN_REPLAY_SOURCES_H
#define ESN_REPLAY_SOURCES_H

#include "bytes.h"
#include "log/event_log.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One logged topic that matches one requested topic. */
struct replay_source {
    const struct logged_topic *topic;
    const struct subscription *requested;
    uint64_t next; /* sequence of its next event */
    uint32_t
        place; /* of that, counted from the first event that the topic ever had; wraps around */
};

/* A heap by next event: sources[0] has the oldest. */
struct replay_sources {
    struct replay_source *sources;
    size_t count, capacity;
    uint64_t until; /* newest event of the log when they were gathered; later ones are not in it */
};

enum replay_gathering {
    REPLAY_GATHERED,
    REPLAY_TOO_MUCH, /* more work than was allowed: walking through the log is cheaper */
    REPLAY_NO_MEMORY
};

/* Finds what came after a sequence. They stay good while the log grows, and while it has not
 * forgotten anything after the last event that was taken. most_work bounds the topics that are
 * looked at; *work says how many were. name is scratch. */
enum replay_gathering replay_sources_gather(struct replay_sources *sources, struct event_log *log,
                                            const struct subscriber *subscriber, uint64_t after,
                                            size_t most_work, struct bytes *name, size_t *work);
/* The same among last values, after one sequence and up to another, of the subscriptions from
 * first_slot on. They are good until values change. */
enum replay_gathering replay_sources_gather_values(struct replay_sources *sources,
                                                   struct event_log *log,
                                                   const struct subscriber *subscriber,
                                                   uint32_t first_slot, uint64_t after,
                                                   uint64_t until, size_t most_work,
                                                   struct bytes *name, size_t *work);
/* Gives back room that is not used. */
void replay_sources_trim(struct replay_sources *sources);
/* The next event of sources[0]; there must be one. */
const struct logged_event *replay_sources_first(const struct replay_sources *sources);
/* Goes on behind it. */
void replay_sources_advance(struct replay_sources *sources);
void replay_sources_free(struct replay_sources *sources);

#endif
