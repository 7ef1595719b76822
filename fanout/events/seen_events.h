/* Recognises events that come a second time: sent again by a handler that missed the
 * acknowledgement, or posted again by a publisher with the same id. Bounded by count and age,
 * oldest forgotten first. */
#ifndef ESN_SEEN_EVENTS_H
#define ESN_SEEN_EVENTS_H

#include "envelope.h"
#include "event.h"
#include "hash_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { SEEN_TIME_BITS = 40 /* of milliseconds: 34 years */, SEEN_MESSAGE_BITS = 24 };

struct seen_event {
    struct hash_node by_key;
    TAILQ_ENTRY(seen_event) by_age;
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
    uint64_t event_sequence;
    uint64_t seen_at_ms : SEEN_TIME_BITS; /* wraps around, as do differences of it */
    uint64_t message : SEEN_MESSAGE_BITS; /* hash of the message that brought it; 0: not known */
    uint32_t receivers;
    uint32_t content : 31; /* hash of what it said, and to whom */
    bool pending : 1;      /* on its way to the disk, not delivered yet */
};

struct seen_events {
    struct hash_table by_key;
    TAILQ_HEAD(seen_events_by_age, seen_event) by_age; /* oldest first */
    uint64_t seed;
    uint64_t max_count; /* set by the owner, like the next; may change at any time */
    uint64_t max_age_ms;
};

/* Of a zeroed one. seed: random, see hash_bytes(). */
void seen_events_open(struct seen_events *events, uint64_t seed);
/* What an event is known by: the publisher's own id when it gave one, else handler and sequence. */
void seen_events_key(unsigned char key[ENVELOPE_POST_KEY_SIZE], const struct envelope *envelope);
/* Whether two events of one key say the same to the same, as far as their publishers say to whom. 0: of one that its
 * publisher cannot say twice. */
uint32_t seen_events_content(const struct seen_events *events, const struct event *event);
/* The earlier one (borrowed until the next call), or NULL. */
const struct seen_event *seen_events_find(struct seen_events *events,
                                          const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                                          uint64_t now_ms);
/* False without memory: the event is not remembered. */
bool seen_events_add(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                     uint32_t content, uint64_t event_sequence, uint32_t receivers,
                     uint64_t now_ms);
/* Which message of the bus brought the one that was added last. */
void seen_events_note_message(struct seen_events *events, uint64_t publisher, uint64_t sequence);
/* True when this message brought it, which comes again until it is answered: nobody has posted anything twice. */
bool seen_events_came_by(const struct seen_event *event, uint64_t publisher, uint64_t sequence);
/* The same as seen_events_add() for one whose fate is open: it is remembered at least until it is settled or forgotten.
 */
bool seen_events_add_pending(struct seen_events *events,
                             const unsigned char key[ENVELOPE_POST_KEY_SIZE], uint32_t content,
                             uint64_t event_sequence, uint64_t now_ms);
void seen_events_settle(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                        uint32_t receivers);
/* It was not taken after all. */
void seen_events_forget(struct seen_events *events,
                        const unsigned char key[ENVELOPE_POST_KEY_SIZE]);
void seen_events_free(struct seen_events *events);
/* Memory that it takes. */
uint64_t seen_events_bytes(const struct seen_events *events);
struct saved_reader;
struct saved_writer;

/* All whose fate is known. */
void seen_events_save(const struct seen_events *events, struct saved_writer *writer);
/* Into an empty one, which takes their seed over; false when it is not as it should be, or without
 * memory. */
bool seen_events_load(struct seen_events *events, struct saved_reader *reader);

#endif
