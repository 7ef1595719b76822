/* Which secrets of streams count no more, where several daemons make them under one key and a client may come
 * back to any of them: of a stream that came back the secrets of before the one that it showed, and all of a
 * stream that was dropped. Bounded by count and age, oldest forgotten first; what is forgotten, or was never heard
 * of, is not refused. */
#ifndef ESN_MOVED_STREAMS_H
#define ESN_MOVED_STREAMS_H

#include "hash_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { MOVED_STREAM_NONE = 1 << 16 /* no secret counts */ };

struct moved_stream {
    struct hash_node by_connid;
    TAILQ_ENTRY(moved_stream) by_age;
    uint64_t noted_at_ms;
    uint32_t least; /* generation that counts, or MOVED_STREAM_NONE */
    uint16_t node;  /* where it was shown */
};

struct moved_streams {
    struct hash_table by_connid;
    TAILQ_HEAD(, moved_stream) by_age; /* oldest first */
    uint64_t max_count;                /* set by the owner, like the next; may change at any time */
    uint64_t max_age_ms;
    /* Set by the owner: tells the other daemons. NULL: there are none. */
    void (*tell)(void *context, uint64_t connid, uint32_t least);
    void *context;
    uint16_t node; /* likewise: of this daemon */
};

/* Of a zeroed one. */
void moved_streams_open(struct moved_streams *streams);
/* Secrets of this generation, and later ones, count; or none. Generations are numbers of 16 bits that wrap around.
 * False without memory, or when a later one was noted. */
bool moved_streams_note(struct moved_streams *streams, uint64_t connid, uint32_t least,
                        uint16_t node, uint64_t now_ms);
/* The same of what has happened here, and tells the others. */
bool moved_streams_note_here(struct moved_streams *streams, uint64_t connid, uint32_t least,
                             uint64_t now_ms);
bool moved_streams_count(const struct moved_streams *streams, uint64_t connid, uint16_t generation);
/* The daemon to which it came last. False: that is not known. */
bool moved_streams_holder(const struct moved_streams *streams, uint64_t connid, unsigned *node);
void moved_streams_free(struct moved_streams *streams);
/* Memory of all. */
uint64_t moved_streams_bytes(const struct moved_streams *streams);
struct saved_reader;
struct saved_writer;

void moved_streams_save(const struct moved_streams *streams, struct saved_writer *writer);
/* Into an empty one; false when it is not as it should be, or without memory. */
bool moved_streams_load(struct moved_streams *streams, struct saved_reader *reader);

#endif
