/* The last value of each topic on which one was published to be kept: an event that outlives the log,
 * until another one takes its place or says that there is none any more. Open, bound and private
 * events of one topic have nothing to do with each other. Bounded by bytes: the oldest are let go of
 * first. In the order of their sequences, so that who is given them can go on where it was. */
#ifndef ESN_LAST_VALUES_H
#define ESN_LAST_VALUES_H

#include "event.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct last_value_slot;
struct logged_event;

enum last_value_kind { LAST_VALUE_OPEN, LAST_VALUE_BOUND, LAST_VALUE_PRIVATE, LAST_VALUE_KINDS };

struct last_values {
    struct topic_index topics[LAST_VALUE_KINDS];
    struct last_value_slot *order; /* by sequence; some are empty */
    size_t start, end, capacity;   /* of those in use */
    uint64_t count, bytes;         /* bytes: without indexes and order */
    uint64_t forgotten;            /* values up to this sequence may be deleted from the disk */
    uint64_t let_go;               /* since the start, for want of room */
    bool is_unsettled;             /* some were added that may not stand where they belong */
    uint64_t max_bytes;            /* set by the owner; may change at any time */
};

enum last_value_kind last_value_kind_of(uint16_t flags);

/* False without memory. */
bool last_values_open(struct last_values *values, uint64_t seed);
void last_values_close(struct last_values *values);
/* Whether it may be kept: one that is larger than half of all would push out too many others. */
bool last_values_fit(const struct last_values *values, const struct event *event);
/* The event, newer than all others, takes the place of its topic's value, or, with ENVELOPE_FORGET,
 * leaves it without one. What there is no room for is let go of, and said in the log once. */
void last_values_take(struct last_values *values, const struct event *event);
/* The same of one that was published at any time, before or after others: last_values_settle() is to be called when
 * all of them were added, before anything else is. One that is older than what its topic has is passed over. */
void last_values_add(struct last_values *values, const struct event *event);
void last_values_settle(struct last_values *values);
/* Lets go of all that are newer than this sequence. */
void last_values_forget_after(struct last_values *values, uint64_t sequence);
/* Lets go of what is too much; taking does so too. */
void last_values_trim(struct last_values *values);
/* The first one after a sequence, or NULL: borrowed until the next change. */
const struct logged_event *last_values_after(const struct last_values *values, uint64_t sequence);
/* How many there are after a sequence: never too few, and at most twice as many and a few. */
uint64_t last_values_count_after(const struct last_values *values, uint64_t sequence);
/* Finds the topics that match a requested one, each a struct logged_topic with one event; gives up
 * past so much work, with matches->cut; matches->failed without memory. */
void last_values_match(const struct last_values *values, enum last_value_kind kind,
                       const char *topic, size_t length, size_t most_work,
                       struct topic_matches *matches);
/* What max_bytes bounds. */
uint64_t last_values_bytes(const struct last_values *values);
/* The same, with what the C library takes beside it. */
uint64_t last_values_heap_bytes(const struct last_values *values);
struct saved_reader;
struct saved_writer;

void last_values_save(const struct last_values *values, struct saved_writer *writer);
/* Into empty ones; false when it is not as it should be. */
bool last_values_load(struct last_values *values, struct saved_reader *reader);

#endif
