/* Where a connection that catches up finds its events: the logged topics that match what it asked
 * for, by their next events. */
#ifndef ESN_REPLAY_SOURCES_H
#define ESN_REPLAY_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct event_log;
struct logged_event;
struct logged_topic;
struct server;
struct subscription;

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

/* Finds what came after a sequence. They stay good while the log grows, and while it has not
 * forgotten anything after the last event that was taken. False without memory. */
bool replay_sources_gather(struct replay_sources *sources, struct server *server,
                           const struct connection *connection, uint64_t after);
/* The next event of sources[0]; there must be one. */
const struct logged_event *replay_sources_first(const struct replay_sources *sources);
/* Goes on behind it. */
void replay_sources_advance(struct replay_sources *sources);
void replay_sources_free(struct replay_sources *sources);

#endif
