/* An event as it is kept, and the topic under which it is found: in the log, and among the last
 * values. */
#ifndef ESN_LOGGED_EVENT_H
#define ESN_LOGGED_EVENT_H

#include "event.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logged_topic;

struct logged_event {
    struct logged_event *newer;
    struct logged_topic *topic;
    uint64_t sequence;
    uint64_t connid; /* of a whisper, or with ENVELOPE_EXCEPT; or 0 */
    uint64_t logged_at_ms;
    uint16_t flags; /* enum envelope_flag: who may hear it */
    uint32_t json_length, allowed_length;
    char json[]; /* `e` as canonical ASCII JSON, then the allowed users, each followed by NUL */
};

/* A topic on which something was published; stands in the index as its own only subscriber. */
struct logged_topic {
    struct subscriber subscriber;
    struct subscription subscription;
    struct logged_event **events; /* a ring, oldest first */
    uint32_t start, count, capacity;
    uint32_t gone; /* events that it had and that are forgotten; wraps around */
    uint32_t length;
    bool targeted;
    char name[]; /* followed by a NUL that length does not count */
};

/* The connection that is kept of it: see logged_event. */
uint64_t logged_event_connid(const struct event *event);
/* The other way round; the event has its flags. */
void logged_event_set_connid(struct event *event, uint64_t connid);
/* A copy, of no topic yet; freed with free(3). NULL without memory. */
struct logged_event *logged_event_new(const struct event *event, uint64_t now_ms);
uint64_t logged_event_bytes(const struct logged_event *event);
/* The event that was logged, borrowed from the log. */
struct event logged_event_get(const struct logged_event *logged);
struct logged_topic *logged_topic_of(const struct topic_node *node);
/* Position (0 .. count) of the first event with a sequence above the given one. */
uint32_t logged_topic_after(const struct logged_topic *topic, uint64_t sequence);
/* position must be below count. */
const struct logged_event *logged_topic_at(const struct logged_topic *topic, uint32_t position);

#endif
